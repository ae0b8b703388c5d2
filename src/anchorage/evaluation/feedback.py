"""Turns rated answers into an evaluation set, in the layout that `dataset` reads."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from anchorage.errors import BadRequest, NotFound
from anchorage.model import Feedback, Principal
from anchorage.ports.catalog import Catalog
from anchorage.ports.feedback import FeedbackStore, Place

_PAGE = 500


async def export_feedback(
    feedback: FeedbackStore, catalog: Catalog, principal: Principal, folder: Path
) -> Mapping[str, int]:
    """Write queries.jsonl, qrels.tsv and corpus.jsonl; returns how many queries, judged queries and documents they hold.

    An answer that was found good makes the documents that it cites relevant and its quotes gold; a good abstention makes
    the question impossible. One that was found bad is a question without a judgement, for a person to judge. The corpus is
    every document that retrieval found for the questions, as far as it still exists. Raises `BadRequest`.
    """
    ratings = await _read_ratings(feedback, principal)
    if not ratings:
        raise BadRequest("There are no rated answers to export. POST /api/feedback rates one.")
    await asyncio.to_thread(_prepare_folder, folder)
    documents: dict[str, str | None] = {}  # id -> the version that was cited
    for item in ratings:
        for hit in item.trace.get("hits", []):
            documents.setdefault(hit[0], None)
        for citation in item.citations:
            documents[citation.document_id] = documents.get(citation.document_id) or citation.version
    with _open_for_writing(folder / "corpus.jsonl") as corpus:
        written = {
            key for key, version in documents.items() if await _write_document(catalog, principal, key, version, corpus)
        }
    judged = 0
    with _open_for_writing(folder / "queries.jsonl") as queries, _open_for_writing(folder / "qrels.tsv") as qrels:
        qrels.write("query-id\tcorpus-id\tscore\n")
        for item in ratings:
            query = _build_query(item)
            cited = sorted({citation.document_id for citation in item.citations} & written) if item.rating > 0 else []
            judged += bool(cited)
            _write_line(queries, query)
            qrels.writelines(f"{query['_id']}\t{document}\t1\n" for document in cited)
    return {"queries": len(ratings), "judged": judged, "documents": len(written)}


async def _read_ratings(feedback: FeedbackStore, principal: Principal) -> list[Feedback]:
    """Read each rating once, the newest first, even if an answer is rated again meanwhile."""
    found: dict[tuple[str, str], Feedback] = {}
    after: Place | None = None
    while page := await feedback.ratings(principal, limit=_PAGE, after=after, oldest_first=True):
        for item in page:
            key = (item.conversation_id, item.message_id)
            found.pop(key, None)
            found[key] = item
            after = (item.created_at, *key)
    return list(reversed(found.values()))


def _prepare_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise BadRequest(f"{folder} is not empty. Name a folder that is, or a new one.")
    except OSError as error:
        raise BadRequest(f"{folder} cannot be written to: {error.strerror}. Name another folder.") from error


def _open_for_writing(path: Path) -> TextIO:
    return path.open("w", encoding="utf-8")


def _write_line(file: TextIO, value: Mapping[str, Any]) -> None:
    file.write(json.dumps(value, ensure_ascii=False) + "\n")


async def _write_document(
    catalog: Catalog, principal: Principal, key: str, version: str | None, corpus: TextIO
) -> bool:
    """Write a document's text as it was cited, else as it is; return whether there is one."""
    with suppress(NotFound):
        document = await catalog.document(principal, key)
        text = await catalog.text(principal, key, version)
        await asyncio.to_thread(_write_line, corpus, {"_id": key, "title": document.title, "text": text.text})
        return True
    return False


def _build_query(item: Feedback) -> dict[str, Any]:
    good = item.rating > 0
    return {
        "_id": f"{item.conversation_id}/{item.message_id}",
        "text": item.standalone_question or item.question,
        "answers": list(dict.fromkeys(citation.quote for citation in item.citations)) if good else [],
        "is_impossible": good and item.abstained,
        "rating": "up" if good else "down",
        "comment": item.comment,
        "answer": item.answer,
    }
