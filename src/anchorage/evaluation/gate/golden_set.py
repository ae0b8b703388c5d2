"""golden_set: questions with what a right answer must say, as `questions.jsonl` holds them, one JSON object a line."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anchorage.errors import BadRequest

FILE = "questions.jsonl"
_KEYS = {"id", "kind", "collection", "question", "turns", "gold", "need", "cite", "must_abstain"}
_MOST_QUESTIONS = 10_000


@dataclass(frozen=True, slots=True)
class GoldenQuestion:
    """A question; of several `turns` the last one is judged.

    `gold`: groups of alternatives, as patterns that ignore case; `need` of the groups must be in the answer. `cite`: ends of the addresses
    of documents, one of which must be cited. `must_abstain`: the documents do not hold the answer.
    """

    id: str
    kind: str
    collection: str | None
    turns: tuple[str, ...]
    gold: tuple[tuple[re.Pattern[str], ...], ...]
    need: int
    cite: tuple[str, ...]
    must_abstain: bool


def read_golden_set(folder: Path) -> list[GoldenQuestion]:
    """Read `questions.jsonl` of a folder. Raises `BadRequest`, which names the line."""
    path = folder / FILE
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        raise BadRequest(
            f"{path} is not there. A golden set is a folder with a {FILE}: docs/how-to/quality-gate.md shows one."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"{path} cannot be read ({error}). Write it in UTF-8, one JSON object a line.") from error
    questions = [_read(line, f"{path}:{number}") for number, line in enumerate(lines, 1) if line.strip()]
    if not questions or len(questions) > _MOST_QUESTIONS:
        raise BadRequest(f"{path} holds {len(questions)} questions, and must hold 1 to {_MOST_QUESTIONS}.")
    seen: set[str] = set()
    for item in questions:
        if item.id in seen:
            raise BadRequest(f"{path}: the id {item.id!r} stands twice. Give each question one of its own.")
        seen.add(item.id)
    return questions


def _read(line: str, place: str) -> GoldenQuestion:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise BadRequest(f"{place}: not JSON ({error}).") from error
    if not isinstance(found, dict) or (unknown := found.keys() - _KEYS):
        raise BadRequest(
            f"{place}: {'unknown: ' + ', '.join(sorted(unknown)) if isinstance(found, dict) else 'no object'}. Known are {', '.join(sorted(_KEYS))}."
        )
    turns = found.get("turns") or [found.get("question")]
    if not isinstance(turns, list) or not all(isinstance(turn, str) and turn.strip() for turn in turns):
        raise BadRequest(f"{place}: `question` must be a text, or `turns` a list of texts.")
    if not isinstance(found.get("id"), str):
        raise BadRequest(f"{place}: `id` must be a text.")
    gold = tuple(_compile(group, place) for group in _list(found, "gold", place))
    abstains = found.get("must_abstain", False)
    if not isinstance(abstains, bool) or abstains is bool(gold):
        raise BadRequest(
            f"{place}: give `gold`, or `must_abstain: true` where the documents do not hold the answer, and not both."
        )
    need = found.get("need", len(gold))
    if type(need) is not int or not (0 if abstains else 1) <= need <= len(gold):
        raise BadRequest(f"{place}: `need` must be a number from 1 to the number of groups in `gold`.")
    return GoldenQuestion(
        found["id"], str(found.get("kind", "question")), found.get("collection"), tuple(turns), gold, need,
        tuple(map(str, _list(found, "cite", place))), abstains,
    )  # fmt: skip


def _list(found: Mapping[str, Any], key: str, place: str) -> Sequence[Any]:
    value = found.get(key, [])
    if not isinstance(value, list):
        raise BadRequest(f"{place}: `{key}` must be a list.")
    return value


def _compile(group: object, place: str) -> tuple[re.Pattern[str], ...]:
    alternatives = [group] if isinstance(group, str) else group
    if (
        not isinstance(alternatives, list)
        or not alternatives
        or not all(isinstance(item, str) and item for item in alternatives)
    ):
        raise BadRequest(f"{place}: each group of `gold` must be a pattern, or a list of patterns.")
    try:
        return tuple(re.compile(item, re.IGNORECASE) for item in alternatives)
    except re.error as error:
        raise BadRequest(
            f"{place}: {error.pattern!r} is no regular expression ({error}). Escape signs such as `(` with a backslash."
        ) from error
