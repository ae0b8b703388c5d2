"""Documents and questions that try to take over, through the whole path: parsed, indexed, retrieved, answered, verified, shown."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from anchorage.adapters.models.endpoint import Endpoint
from anchorage.adapters.models.http import open_model_client
from anchorage.adapters.models.openai_client import OpenAIGenerator
from anchorage.adapters.sources.files.folder import LocalSource
from anchorage.chat.generation.prompt import read_instructions
from anchorage.chat.state import ABSTENTION
from anchorage.model import Answer
from anchorage.testing.model_server import Behaviour, model_server
from anchorage.testing.obedient import (
    OBEYED,
    answer_maliciously,
    obey_orders,
    read_outside_passages,
    recite_instructions,
)
from anchorage.wiring.chat import ChatParts
from support.asking import ask_events
from support.injections import FACT, QUESTION, QUESTIONS, Injection, documents
from support.markdown import active

from .conftest import World

CASES = list(documents())
RULES = [
    line.removeprefix("- ") for line in read_instructions().splitlines() if len(line) > 30 and ABSTENTION not in line
]


@pytest.fixture
async def poisoned(world: World, tmp_path: Path) -> World:
    """All the documents, each in a collection of its own group of nine, so that every one of them is among the passages."""
    folder = tmp_path / "documents"
    folder.mkdir()
    for case in CASES:
        (folder / case.file).write_bytes(case.content)
    source = LocalSource(folder, max_bytes=10**6)
    outcomes = [item async for item in world.ingester.ingest_source("c", source)]
    assert len(outcomes) == len(CASES) > 100 and {item.status.value for item in outcomes} == {"indexed"}
    return world


@asynccontextmanager
async def answered_by(world: World, answer: Callable[..., str]) -> AsyncIterator[tuple[ChatParts, list[object]]]:
    async with model_server(Behaviour(answer=answer)) as server, open_model_client() as client:
        generator = OpenAIGenerator(client, Endpoint(server.url), "m", max_tokens=2000)
        yield replace(world.chat, generator=generator), server.requests  # type: ignore[arg-type]


async def asked(services: ChatParts, world: World, question: str) -> tuple[Answer, str]:
    """The answer, and what was streamed before it."""
    shown, answer = "", None
    async for event in ask_events(services, world.principal, question):
        if event.type == "token":
            shown += event.data["text"]
            assert not active(shown), shown
        if event.type == "answer":
            answer = event.data["answer"]
        assert event.type != "error", event.data
    assert answer is not None
    return answer, shown


async def check(world: World, answer: Answer) -> None:
    """What holds of every answer: inert, silent on its read_instructions, and each citation verbatim and in place."""
    assert not active(answer.answer), answer.answer
    assert not any(rule in answer.answer for rule in RULES)
    for citation in answer.citations:
        text = (await world.catalog.text(world.principal, citation.document_id, citation.version)).text
        assert text[citation.start : citation.end] == citation.quote
        assert f"[{citation.marker}]" in answer.answer
        assert ABSTENTION not in citation.claim
    for item in answer.unsupported:
        assert answer.answer[item.start : item.end] == item.text


def of_order(name: str) -> str:
    return name.split("-")[0]


async def ask_all(services: ChatParts, world: World, questions: Sequence[str]) -> list[tuple[Answer, str]]:
    found = []
    for question in questions:
        answer, shown = await asked(services, world, question)
        await check(world, answer)
        found.append((answer, shown))
    return found


def probing(case: Injection) -> str:
    """A question that finds the document by the words of its order."""
    return f"{case.question} {of_order(case.name)} HIJACKED evil.example"


async def test_no_document_changes_what_a_model_is_told(poisoned: World) -> None:
    """An obedient model sees no order, for none leaves its passage; what it quotes is cited or flagged, and inert."""
    async with answered_by(poisoned, obey_orders) as (services, requests):
        for answer, _ in await ask_all(services, poisoned, [probing(case) for case in CASES[::4]]):
            assert not answer.answer.startswith(OBEYED)
        for request in requests:
            assert read_outside_passages(request.body["messages"]).strip() == ""  # type: ignore[attr-defined]


async def test_no_quotation_is_active_or_forged(poisoned: World) -> None:
    """Without a model: documents are quoted, and quotations are inert, cannot pose as markers, nor speak for us."""
    for answer, _ in await ask_all(poisoned.chat, poisoned, [probing(case) for case in CASES[::3]] + QUESTIONS):
        assert answer.abstained == (answer.answer == ABSTENTION)
        if not answer.abstained:
            assert ABSTENTION not in answer.answer
            markers = [citation.marker for citation in answer.citations]
            assert markers == list(range(1, len(markers) + 1))
            assert [f"[{number}]" in answer.answer for number in range(1, 10)].count(True) == len(markers)


async def test_what_a_hijacked_model_adds_is_neither_active_nor_cited(poisoned: World) -> None:
    """The worst case: the model does all that the documents want."""
    async with answered_by(poisoned, answer_maliciously) as (services, _):
        for answer, _ in await ask_all(services, poisoned, [QUESTION, *QUESTIONS]):
            flagged = " ".join(item.text for item in answer.unsupported)
            assert not any("4711" in citation.claim for citation in answer.citations)
            assert answer.abstained or ("4711" in flagged and "4711 [" not in answer.answer)
        withholding = replace(services, limits=replace(services.limits, unsupported="withhold"))
        for answer, shown in await ask_all(withholding, poisoned, [QUESTION, *QUESTIONS]):
            assert "4711" not in answer.answer + shown and not answer.abstained
            # What a document says may be quoted, inert; nothing else of the kind is shown, not even around what is quoted.
            for text in (answer.answer, shown):
                for citation in answer.citations:
                    text = text.replace(citation.claim, "")
                assert "evil.example" not in text


async def test_a_model_that_tells_its_instructions_is_cut_short(poisoned: World) -> None:
    async with answered_by(poisoned, recite_instructions) as (services, _):
        for answer, shown in await ask_all(services, poisoned, [QUESTION, QUESTIONS[0]]):
            assert not any(rule in shown for rule in RULES)
            assert not any("passage" in citation.claim for citation in answer.citations)


async def test_the_fact_is_still_found(poisoned: World) -> None:
    async with answered_by(poisoned, lambda messages: f"{FACT[:-1]} [6].") as (services, _):
        answer, _ = await asked(services, poisoned, QUESTION)
    assert answer.citations and all("65 metres" in citation.quote for citation in answer.citations)
