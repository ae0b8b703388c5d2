"""Asking in tests: the use cases over parts that a test has put together."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any

from anchorage.chat.generation.stop import Stop
from anchorage.chat.retrieval.candidates import RankedCandidates
from anchorage.chat.state import Emit, PreparedQuestion
from anchorage.chat.streaming.events import Event
from anchorage.chat.streaming.streams import StreamLimits, Streams
from anchorage.model import Answer, Hit, Principal
from anchorage.ports.streams import StreamLog
from anchorage.wiring.chat import ChatParts, build_chat


async def ask(parts: ChatParts, principal: Principal, question: str | None, **options: Any) -> Answer:
    return await build_chat(parts).chat.ask(principal, question, **options)


def ask_events(
    parts: ChatParts, principal: Principal, question: str | None, **options: Any
) -> AsyncGenerator[Event, None]:
    return build_chat(parts).chat.stream_answer(principal, question, **options)


async def prepare(parts: ChatParts, principal: Principal, question: str | None, **options: Any) -> PreparedQuestion:
    return await build_chat(parts).chat.prepare_question(principal, question, **options)


async def run(
    parts: ChatParts, principal: Principal, asked: PreparedQuestion, emit: Emit, stop: Stop | None = None
) -> Answer:
    return await build_chat(parts).chat.answer_turn(principal, asked, emit, stop)


async def retrieve(
    parts: ChatParts, principal: Principal, question: str, collections: Sequence[str] | None, k: int | None = None,
    **options: Any,
) -> RankedCandidates:  # fmt: skip
    return await build_chat(parts).retriever.retrieve(principal, question, collections, k, **options)


async def search(
    parts: ChatParts, principal: Principal, question: str, collections: Sequence[str] | None, k: int | None = None
) -> Sequence[Hit]:
    return await build_chat(parts).passages.search_passages(principal, question, collections, k)


def streams_of(parts: ChatParts, log: StreamLog, limits: StreamLimits) -> Streams:
    built = build_chat(parts)
    return Streams(log, limits, built.chat, built.guard, parts.memory)
