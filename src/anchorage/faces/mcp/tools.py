"""The tools of the MCP server `documents`."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, CallToolResult, TextContent, Tool, ToolAnnotations
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from anchorage.chat.retrieval.search import MOST_PASSAGES
from anchorage.chat.streaming.events import serialise_answer, serialise_hit
from anchorage.errors import AnchorageError
from anchorage.faces.paging import read_document_page
from anchorage.faces.shapes import document_json
from anchorage.model import Principal
from anchorage.telemetry import ANSWERS
from anchorage.wiring.services import Services

_log = structlog.get_logger(__name__)


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Search(_Arguments):
    question: str = Field(description="what to look for, in plain words")
    collection: str | None = Field(None, description="where to look; everywhere by default")
    k: int | None = Field(None, ge=1, le=MOST_PASSAGES, description="how many passages")


class Ask(_Arguments):
    question: str = Field(description="the question, in plain words")
    collection: str | None = Field(None, description="where to look; everywhere by default")
    conversation_id: str | None = Field(
        None, description="keeps the question and its answer in this conversation, and reads it against those before"
    )


class ListDocuments(_Arguments):
    collection: str | None = Field(None, description="only those of this collection")
    limit: int = Field(100, ge=1, le=1000, description="how many at most")
    after: str | None = Field(None, description="`next` of the page before")


async def _search(services: Services, principal: Principal, asked: Search) -> dict[str, Any]:
    hits = await services.asking.passages.search_passages(
        principal, asked.question, _to_collections(asked.collection), asked.k
    )
    return {"hits": [serialise_hit(hit) for hit in hits]}


async def _ask(services: Services, principal: Principal, asked: Ask) -> dict[str, Any]:
    is_kept = asked.conversation_id is not None
    answer = await services.chat.ask(
        principal, asked.question, conversation_id=asked.conversation_id,
        collections=_to_collections(asked.collection), history=None if is_kept else (),
    )  # fmt: skip
    ANSWERS.labels("abstained" if answer.abstained else "answered").inc()
    left_out = {"hits"} if is_kept else {"hits", "conversation_id", "message_id"}  # of a turn that is not kept, no ids
    return {key: value for key, value in serialise_answer(answer).items() if key not in left_out}


async def _list_documents(services: Services, principal: Principal, given: ListDocuments) -> dict[str, Any]:
    page, following = await read_document_page(
        services.storage.catalog, principal, collection=given.collection, limit=given.limit, after=given.after
    )
    return {"documents": [document_json(document) for document in page], "next": following}


def _to_collections(collection: str | None) -> list[str] | None:
    return [collection] if collection else None


@dataclass(frozen=True, slots=True)
class _Tool:
    title: str
    description: str
    arguments: type[_Arguments]
    run: Callable[[Services, Principal, Any], Awaitable[dict[str, Any]]]
    reads_only: bool = True


_TOOLS: Mapping[str, _Tool] = {
    "search": _Tool(
        "Search documents",
        "Find the passages of the user's documents that fit a question best, with document, page and offsets.",
        Search, _search,
    ),
    "ask": _Tool(
        "Ask the documents",
        "Answer a question from the user's documents. Each marker like [1] in the answer has a citation with the verbatim quote; "
        "`abstained` says that the documents do not hold the answer.",
        Ask, _ask, reads_only=False,
    ),
    "list_documents": _Tool(
        "List documents", "The user's documents with their ids, titles, collections and status.", ListDocuments, _list_documents
    ),
}  # fmt: skip


def list_tools() -> list[Tool]:
    """List all tools, in the protocol's form."""
    return [
        Tool(
            name=name, title=tool.title, description=tool.description, input_schema=tool.arguments.model_json_schema(),
            annotations=ToolAnnotations(
                read_only_hint=tool.reads_only, destructive_hint=False, open_world_hint=False
            ),
        )
        for name, tool in _TOOLS.items()
    ]  # fmt: skip


async def call_tool(
    services: Services, principal: Principal, name: str, arguments: Mapping[str, Any]
) -> CallToolResult:
    """Run a tool. An error in it becomes its result, for the model to read. Raises `MCPError` for an unknown tool."""
    tool = _TOOLS.get(name)
    if tool is None:
        raise MCPError(INVALID_PARAMS, f"There is no tool {name[:80]!r}. There are {', '.join(_TOOLS)}.")
    try:
        result = await tool.run(services, principal, tool.arguments.model_validate(arguments))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        return _make_failure(f"The arguments cannot be taken: {wrong}.")
    except AnchorageError as error:
        return _make_failure(error.message)
    except Exception:  # noqa: BLE001  the model must learn of any failure
        _log.exception("tool_crashed", tool=name)
        return _make_failure("Something unexpected failed; the server's log has the details.")
    return CallToolResult(content=[TextContent(text=json.dumps(result, ensure_ascii=False))], structured_content=result)


def _make_failure(message: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=message)], is_error=True)
