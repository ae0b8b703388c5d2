"""Reads an evaluation set: corpus.jsonl[.gz], queries.jsonl and qrels.tsv, as BEIR lays them out."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anchorage.errors import BadRequest


@dataclass(frozen=True, slots=True)
class EvalQuery:
    """A question with its judged documents (id to grade) and, where the set has them, its gold answers."""

    id: str
    text: str
    relevant: Mapping[str, int]
    answers: Sequence[str] = ()
    impossible: bool = False
    asks_answer: bool = False


@dataclass(frozen=True, slots=True)
class Dataset:
    folder: Path
    corpus: Path
    queries: Sequence[EvalQuery] = field(default_factory=list)


def read_dataset(folder: Path) -> Dataset:
    """Raises `BadRequest` naming the file, and the line, that is missing or wrong."""
    corpus = next((path for name in ("corpus.jsonl", "corpus.jsonl.gz") if (path := folder / name).is_file()), None)
    if corpus is None:
        raise BadRequest(f"{folder} holds no corpus.jsonl or corpus.jsonl.gz: name the folder of an evaluation set.")
    queries = read_queries(folder)
    if not queries:
        raise BadRequest(f"{folder / 'queries.jsonl'} holds no queries.")
    return Dataset(folder, corpus, queries)


def read_queries(folder: Path) -> list[EvalQuery]:
    """The questions of a set with what is judged of them. Raises `BadRequest` naming file and line."""
    judged = _read_judgements(folder / "qrels.tsv")
    queries = []
    for row in _read_rows(folder / "queries.jsonl", ("_id", "text")):
        answers = [str(answer) for answer in row.get("answers") or [] if str(answer).strip()]
        impossible = bool(row.get("is_impossible", False))
        queries.append(
            EvalQuery(str(row["_id"]), str(row["text"]), judged.get(str(row["_id"]), {}), answers, impossible,
                      bool(answers) or impossible)
        )  # fmt: skip
    return queries


def read_corpus(path: Path) -> Iterator[tuple[str, str, str]]:
    """(id, title, text) of each line of a corpus file."""
    for row in _read_rows(path, ("_id", "text")):
        yield str(row["_id"]), str(row.get("title") or ""), str(row["text"])


def _read_judgements(path: Path) -> dict[str, dict[str, int]]:
    judged: dict[str, dict[str, int]] = defaultdict(dict)
    for number, line in enumerate(_read_lines(path), 1):
        parts = line.rstrip("\n").split("\t")
        if number == 1 or not line.strip():
            continue
        try:
            query, document, grade = parts[0], parts[1], int(parts[2])
        except (IndexError, ValueError):
            raise BadRequest(
                f"{path}, line {number}: expected query id, document id and a whole grade, by tabs."
            ) from None
        if grade > 0:
            judged[query][document] = grade
    return judged


def _read_rows(path: Path, required: Sequence[str]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(_read_lines(path), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            raise BadRequest(f"{path}, line {number}: not a JSON object.") from None
        if not isinstance(row, dict) or any(key not in row for key in required):
            raise BadRequest(f"{path}, line {number}: needs the keys {', '.join(required)}.")
        yield row


def _read_lines(path: Path) -> Iterator[str]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            yield from file
    except FileNotFoundError:
        raise BadRequest(f"{path} is missing from the evaluation set.") from None
    except (OSError, UnicodeDecodeError, EOFError) as error:
        raise BadRequest(f"{path} cannot be read: {error}.") from error
