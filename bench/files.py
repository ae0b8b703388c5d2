"""What becomes of every file below a folder: python -m bench.files FOLDER [MANIFEST].

MANIFEST is a table with tabs and a header line that names, for paths relative to its own folder, `path`, `kind`,
`expected_path`, `expected_type` (contains: JSON with `must_include`; else text in Markdown or CSV) and `note`. With it, the share of
files whose expected text is found is told by kind: words of the expected text that are in the extracted one (.9 or more), or
all of the strings.
"""

from __future__ import annotations

import asyncio
import csv
import json
import re
import resource
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from anchorage.adapters.parsers.sandbox.parser import ParseLimits, open_sandboxed_parser
from anchorage.errors import AnchorageError
from anchorage.settings.sections import IngestSettings
from bench.support import report

_ENOUGH = 0.9
_MARKUP = re.compile(r"!\[[^\]]*\]\([^)]*\)|<!--.*?-->|\]\([^)]*\)|<[^>]+>|\$\$?|\\[a-z]+\b|&\w+;", re.DOTALL)
_NO_TEXT = re.compile(r"data:image/|```")


def words(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w+", text.casefold().replace("_", " ")))


def overlap(expected: str, text: str) -> float:
    """The share of the expected words that were found, each as often as it is expected."""
    wanted = words(_MARKUP.sub(" ", expected))
    return 1.0 if not wanted else (wanted & words(text)).total() / wanted.total()


def plain(text: str) -> str:
    """Text without the marks of Markdown and differences of white space."""
    text = re.sub(r"^\s*(?:#+|[*>-])\s+", "", text)
    return " ".join(re.sub(r"[*`]|!\[|\]", "", text).split())


def found(expected: Path, kind: str, text: str) -> float:
    """1 where all of the expected strings, or the share of the expected words."""
    if kind.startswith("contains"):
        wanted = [item for item in json.loads(expected.read_text("utf-8"))["must_include"] if not _NO_TEXT.search(item)]
        shown = plain(text)
        return sum(plain(item) in shown for item in wanted) / len(wanted)
    return overlap(expected.read_text("utf-8"), text)


async def measure(folder: Path, manifest: Path | None) -> None:
    rows: dict[Path, dict[str, str]] = {}
    if manifest:
        with manifest.open(encoding="utf-8") as file:
            rows = {(manifest.parent / row["path"]).resolve(): row for row in csv.DictReader(file, delimiter="\t")}
    outcomes: dict[str, Counter[str]] = defaultdict(Counter)
    shares: dict[str, list[float]] = defaultdict(list)
    short: dict[str, Any] = {}
    slowest = (0.0, "")
    settings = IngestSettings()
    limits = ParseLimits(
        settings.parse_timeout, settings.parse_memory_bytes, settings.max_text_chars,
        settings.ocr_language, settings.ocr_timeout, settings.ocr_page_timeout, settings.ocr_data,
    )  # fmt: skip
    async with open_sandboxed_parser(limits, 1) as parser:
        for path in sorted(item for item in folder.rglob("*") if item.is_file()):
            started = time.perf_counter()
            text = ""
            try:
                text = (await parser.parse(path, path.name)).text
                outcome = "read"
            except AnchorageError as error:
                outcome = error.code
            row = rows.get(path.resolve(), {})
            kind = row.get("kind", path.parent.name)
            outcomes[kind][outcome] += 1
            slowest = max(slowest, (round(time.perf_counter() - started, 2), path.name))
            expected = manifest.parent / row["expected_path"] if manifest and row.get("expected_path") else None
            if expected and expected.stat().st_size > 1:  # an empty one says nothing
                share = found(expected, row["expected_type"], text)
                shares[kind].append(share)
                if share < (1 if row["expected_type"].startswith("contains") else _ENOUGH):
                    short[path.name] = {"found": round(share, 3), "outcome": outcome}
    enough = {kind: sum(share >= _ENOUGH for share in found) for kind, found in shares.items()}
    report(
        files=sum(sum(counts.values()) for counts in outcomes.values()),
        outcomes={kind: dict(counts) for kind, counts in sorted(outcomes.items())},
        expected_text_found={kind: {"files": len(shares[kind]), "found": enough[kind]} for kind in sorted(shares)},
        share_found=round(sum(enough.values()) / max(1, sum(map(len, shares.values()))), 3),
        below=short,
        slowest={"seconds": slowest[0], "file": slowest[1]},
        peak_resident_mb_of_a_parser=round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024, 1),
    )


if __name__ == "__main__":
    asyncio.run(measure(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None))
