"""Verification judges alike in every process: nothing in it hangs on the order of a set."""

import os
import subprocess
import sys
from pathlib import Path

_JUDGE = """
import asyncio, hashlib, sys
from anchorage.chat.verification.judge import Judge
from anchorage.model import Hit
from anchorage.text.analyser import format_analyser_name, load_analyser

analyser = load_analyser(format_analyser_name("english"))
lines = open(sys.argv[1], encoding="utf-8").read().splitlines()
texts = [line.partition(" = ")[2] for line in lines if line[:2] not in ("+ ", "- ") and line[:1] not in "?#"]
claims = [line[2:] for line in lines if line[:2] in ("+ ", "- ")]
found = []
for start in range(0, len(texts) - 4, 4):
    hits = [Hit(str(n), "d", "v", "c", "u", text[:20], 0, len(text), 1.0, text) for n, text in enumerate(texts[start:start + 4])]
    judge = Judge(hits, "What is it, and when was it opened?", analyser, claims[start])
    for claim in map(judge.make_claim, claims[4 * start:4 * start + 40]):
        near = [claim.find_nearest(number, passage) for number, passage in enumerate(judge.passages)]
        found.append([item and (item.start, item.end, item.score.hex(), item.conflict) for item in near])
        found.append([(item.passage, item.score.hex()) for item in judge.judge_claim(claim, [1, 2]).supports])
print(hashlib.sha256(repr(found).encode()).hexdigest(), len(found))
"""


def test_every_process_judges_alike() -> None:
    claims = Path(__file__).parent / "claims.txt"
    judged = {
        subprocess.run(
            [sys.executable, "-c", _JUDGE, str(claims)], env={**os.environ, "PYTHONHASHSEED": seed}, check=True,
            capture_output=True, text=True, timeout=120,
        ).stdout
        for seed in ("1", "7", "23")
    }  # fmt: skip
    assert len(judged) == 1 and int(judged.pop().split()[1]) > 500
