"""The quality gate: a golden set is asked, compared with the accepted run, and refuses what loses answers."""

import json
from pathlib import Path

import pytest
from tests.acceptance.conftest import Cli

_HARBOUR, _TASSEL = "When was the harbour of Ghent opened?", "Who designed the Hôtel Tassel?"
QUESTIONS = [
    {
        "id": "opened",
        "kind": "fact",
        "collection": "default",
        "question": _HARBOUR,
        "gold": ["1827"],
        "cite": ["harbour.txt"],
    },
    {"id": "tassel", "kind": "fact", "question": _TASSEL, "gold": [["Horta", "V. H."]], "cite": ["horta.md"]},
    {
        "id": "moon",
        "kind": "unanswerable",
        "collection": "default",
        "question": "How far is the moon?",
        "must_abstain": True,
    },
]


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    (tmp_path / "questions.jsonl").write_text("\n".join(json.dumps(item) for item in QUESTIONS))
    return tmp_path


def test_what_loses_answers_is_refused_and_an_index_is_switched_back(cli: Cli, papers: Path, golden: Path) -> None:
    cli("ingest", str(papers / "harbour.txt"), str(papers / "horta.md"))
    first = cli("gate", "--golden", str(golden), "--json").json
    assert first["report"]["all"] == {"good": 3, "questions": 3, "complete": 2, "rightly_abstained": 1}
    assert (
        cli("gate", "--golden", str(golden), "--json").json["at"] == first["at"]
    )  # nothing has changed: nothing is asked
    assert cli("conversations", "list", "--json").json["conversations"] == []

    (live,) = cli("reindex", "default", "--status", "--json").json["versions"]
    passed = cli("reindex", "default", "--chunk", "64", "--gate", str(golden), "--json").json
    assert passed["gate"]["compared"]["lost"] == [] and passed["versions"][0]["id"] != live["id"]
    cli("reindex", "default", "--discard")

    accepted = golden / "runs" / "accepted.json"
    broken = json.loads(accepted.read_text())
    (golden / "questions.jsonl").write_text(
        "\n".join(json.dumps({**item, "gold": ["1828"]} if item["id"] == "opened" else item) for item in QUESTIONS)
    )
    (now,) = cli("reindex", "default", "--status", "--json").json["versions"]
    refused = cli("reindex", "default", "--chunk", "128", "--gate", str(golden), code=1)
    assert "opened" in refused.err and "answers from its old index again" in refused.err
    assert (
        next(item for item in cli("reindex", "default", "--status", "--json").json["versions"] if item["live"])["id"]
        == now["id"]
    )

    lost = cli("gate", "--golden", str(golden), "--again", code=1)
    assert "no longer answered rightly" in lost.err and "--accept" in lost.err
    assert json.loads(accepted.read_text()) == broken
    assert cli("gate", "--golden", str(golden), "--accept", "--json").json["compared"]["lost"] == ["opened"]
    cli("gate", "--golden", str(golden))
    accepted.write_text("{")
    assert "is damaged" in cli("gate", "--golden", str(golden), code=2).err
    assert "questions.jsonl" in cli("gate", "--golden", str(papers), code=2).err
