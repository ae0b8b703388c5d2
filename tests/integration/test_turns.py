"""Whole turns: quotations, a generator, follow-ups, failures."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from anchorage.adapters.sources.files.folder import LocalSource
from anchorage.chat.state import ABSTENTION
from anchorage.chat.streaming.events import Event
from anchorage.errors import BadRequest, ModelUnavailable, NotFound, TooLarge
from anchorage.model import Principal
from anchorage.testing.fakes import ScriptedGenerator
from anchorage.wiring.chat import ChatParts
from support.asking import ask, ask_events

from .conftest import World


@pytest.fixture
async def asked(world: World, tmp_path: Path) -> World:
    (tmp_path / "horta.md").write_text(
        "# Victor Horta\n\nVictor Horta designed the Hôtel Tassel in 1893. Victor Horta lived in Saint-Gilles. He taught at the academy."
    )
    (tmp_path / "bread.txt").write_text("Bread is made of flour and water. It is baked in an oven.")
    for name in ("horta.md", "bread.txt"):
        source = LocalSource(tmp_path / name, max_bytes=10**6)
        assert [outcome.status.value async for outcome in world.ingester.ingest_source("c", source)] == ["indexed"]
    return world


async def events(services: ChatParts, principal: Principal, question: str, **more: str) -> list[Event]:
    return [event async for event in ask_events(services, principal, question, **more)]


async def test_a_quoted_answer_is_verbatim_at_its_offsets(asked: World) -> None:
    answer = await ask(asked.chat, asked.principal, "Who designed the Hôtel Tassel in 1893?")
    assert "Victor Horta designed the Hôtel Tassel in 1893." in answer.answer
    assert [citation.marker for citation in answer.citations] == list(range(1, len(answer.citations) + 1))
    for citation in answer.citations:
        text = (await asked.catalog.text(asked.principal, citation.document_id, citation.version)).text
        assert text[citation.start : citation.end] == citation.quote
        assert text[: citation.start].endswith(citation.prefix) and text[citation.end :].startswith(citation.suffix)


async def test_follow_ups_and_recounts(asked: World) -> None:
    first = await ask(asked.chat, asked.principal, "Who designed the Hôtel Tassel?", conversation_id="t1")
    second = await ask(asked.chat, asked.principal, "and where has Victor Horta lived?", conversation_id="t1")
    assert "Saint-Gilles" in second.answer
    assert first.conversation_id == second.conversation_id == "t1"
    third = await ask(asked.chat, asked.principal, "What have I asked so far?", conversation_id="t1")
    assert (
        "1. Who designed the Hôtel Tassel?" in third.answer and "2. and where has Victor Horta lived?" in third.answer
    )
    assert not third.citations


async def test_events_are_numbered_and_end_with_done(asked: World) -> None:
    found = await events(asked.chat, asked.principal, "What is bread made of?")
    assert [event.type for event in found] == ["start", "hits", "token", "answer", "done"]
    assert [event.n for event in found] == [1, 2, 3, 4, 5]
    assert {event.turn for event in found} == {1}
    assert found[3].build_payload()["citations"]


async def test_a_repeated_message_is_answered_once(asked: World) -> None:
    services = replace(asked.chat, generator=ScriptedGenerator(["Flour and water [1]."]))
    ids = {"conversation_id": "t2", "message_id": "m1"}
    first = await ask(services, asked.principal, "What is bread made of?", **ids)
    assert (await ask(services, asked.principal, "What is bread made of?", **ids)).answer == first.answer


async def test_a_generator_writes_from_the_passages(asked: World) -> None:
    generator = ScriptedGenerator(["Bread is made of flour and water [1]. And of love [9]."])
    answer = await ask(replace(asked.chat, generator=generator), asked.principal, "What is bread made of?")
    assert answer.answer == "Bread is made of flour and water [1]. And of love."
    (citation,) = answer.citations
    assert citation.quote == "Bread is made of flour and water."
    assert answer.usage.model == "scripted" and answer.usage.completion_tokens > 0
    assert '<passage number="1"' in generator.prompts[0][-1].content


async def test_what_nothing_supports_is_told_kept_and_withheld(asked: World) -> None:
    said = "Bread is made of flour and water [2]. It was invented in 1905 by Otto Stern [1]."
    services = replace(asked.chat, generator=ScriptedGenerator([said, said]))
    ids = {"conversation_id": "t6", "message_id": "m1"}
    answer = await ask(services, asked.principal, "What is bread made of?", **ids)
    (item,) = answer.unsupported
    assert answer.answer[item.start : item.end] == item.text == "It was invented in 1905 by Otto Stern."
    assert [citation.quote for citation in answer.citations] == ["Bread is made of flour and water."]
    again = await ask(services, asked.principal, "What is bread made of?", **ids)
    assert (again.answer, again.unsupported) == (answer.answer, answer.unsupported)
    withholding = replace(services, limits=replace(services.limits, unsupported="withhold"))
    found = await events(withholding, asked.principal, "What is bread made of?")
    payload = found[-2].build_payload()
    assert [event.build_payload()["text"] for event in found if event.type == "token"] == [payload["answer"]]
    assert payload["answer"].startswith("Bread is made of flour and water [") and "Otto" not in str(payload)
    assert payload["unsupported"] == [{"start": len(payload["answer"]), "end": len(payload["answer"]), "text": ""}]


async def test_an_answer_that_stands_on_nothing_is_flagged_or_becomes_an_abstention(asked: World) -> None:
    said = "Otto Stern invented the toaster in 1905."
    services = replace(asked.chat, generator=ScriptedGenerator([said, said, f"{ABSTENTION} {said}"]))
    answer = await ask(services, asked.principal, "What is bread made of?")
    assert not answer.abstained and not answer.citations and [item.text for item in answer.unsupported] == [said]
    withholding = replace(services, limits=replace(services.limits, unsupported="withhold"))
    answer = await ask(withholding, asked.principal, "What is bread made of?")
    assert answer.abstained and answer.answer == ABSTENTION and not answer.unsupported
    assert (await ask(services, asked.principal, "What is bread made of?")).abstained


async def test_a_generator_rewrites_follow_ups_and_abstains(asked: World) -> None:
    generator = ScriptedGenerator(["Victor Horta [1].", "Where does Victor Horta live?", ABSTENTION])
    services = replace(asked.chat, generator=generator)
    await ask(services, asked.principal, "Who designed the Hôtel Tassel?", conversation_id="t3")
    answer = await ask(services, asked.principal, "and where does he live?", conversation_id="t3")
    assert answer.abstained and not answer.citations
    assert "Question: Where does Victor Horta live?" in generator.prompts[2][-1].content


async def test_a_rewrite_that_fails_falls_back_and_an_answer_that_fails_is_told(asked: World) -> None:
    away = ModelUnavailable("The model server is away. Try again.")
    generator = ScriptedGenerator(["Horta [1].", away, "In Saint-Gilles [1].", away])
    services = replace(asked.chat, generator=generator)
    await ask(services, asked.principal, "Who designed the Hôtel Tassel?", conversation_id="t4")
    assert (await ask(services, asked.principal, "and where does he live?", conversation_id="t4")).answer.startswith(
        "In Saint-Gilles"
    )
    found = await events(services, asked.principal, "Who designed the Hôtel Tassel?", conversation_id="t5")
    assert [event.type for event in found][-2:] == ["error", "done"]
    assert found[-2].build_payload()["message"] == away.message
    assert not await asked.chat.memory.window(asked.principal, "t5", 5)


async def test_input_that_cannot_be_taken_raises_before_anything_is_sent(asked: World) -> None:
    with pytest.raises(BadRequest, match="empty"):
        await ask(asked.chat, asked.principal, " \n ")
    with pytest.raises(TooLarge, match="ANCHORAGE_ANSWER__QUESTION_LIMIT"):
        await ask(asked.chat, asked.principal, "x" * 100_000)
    with pytest.raises(NotFound, match="nosuch"):
        await ask(asked.chat, asked.principal, "x", collections=["nosuch"])
    await ask(asked.chat, asked.principal, "What is bread?", conversation_id="t6")
    with pytest.raises(NotFound):
        await ask(asked.chat, Principal("other"), "What is bread?", conversation_id="t6")


async def test_a_reader_who_leaves_ends_the_turn(asked: World) -> None:
    before = asyncio.all_tasks()
    stream = ask_events(asked.chat, asked.principal, "What is bread made of?", conversation_id="t7")
    await anext(stream)
    assert asyncio.all_tasks() > before
    await stream.aclose()
    assert asyncio.all_tasks() <= before


async def test_turns_of_one_conversation_at_once(asked: World) -> None:
    questions = [f"What is bread number {number} made of?" for number in range(6)]
    await asyncio.gather(*(ask(asked.chat, asked.principal, question, conversation_id="t8") for question in questions))
    turns = await asked.chat.memory.window(asked.principal, "t8", 10)
    assert [turn.number for turn in turns] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("Hello!", "Hello!"), ("Danke schön", "Gern geschehen"), ("¿Qué puedes hacer?", "Victor Horta"), ("Tell me more", "Please name the subject"),
        ("What documents do you have?", "2 documents"), ("Combien de documents avez-vous ?", "2 documents"),
        ("Which documents mention Saint-Gilles?", "horta.md"), ("What md files do you have?", "horta.md"),
        ("What is the newest document?", "bread"), ("How many documents are in the collection c?", "2 documents"),
    ],
)  # fmt: skip
async def test_what_needs_no_passage(asked: World, message: str, told: str) -> None:
    for collections in (None, ["c"]):
        answer = await ask(asked.chat, asked.principal, message, collections=collections)
        assert told in answer.answer and not answer.citations and not answer.abstained
    found = await events(asked.chat, asked.principal, message)
    assert [event.type for event in found if event.type != "hits"] == ["start", "token", "answer", "done"]
    stranger = replace(asked.principal, id="stranger")
    assert "orta" not in (await ask(asked.chat, stranger, message)).answer
    with pytest.raises(NotFound, match="nosuch"):
        await ask(asked.chat, asked.principal, "Hello", collections=["nosuch"])


async def test_the_documents_of_a_place_that_is_not_there_are_not_counted(asked: World) -> None:
    answer = await ask(asked.chat, asked.principal, "How many books are in the library of Saint-Gilles?")
    assert "2 documents" not in answer.answer


async def test_what_was_said_before_may_be_meant(asked: World) -> None:
    await ask(asked.chat, asked.principal, "Who designed the Hôtel Tassel?", conversation_id="meant")
    answer = await ask(asked.chat, asked.principal, "Tell me more", conversation_id="meant")
    assert answer.citations


async def test_several_sentences_are_for_several_things(asked: World) -> None:
    one = await ask(asked.chat, asked.principal, "Where did Victor Horta live?")
    assert [citation.quote for citation in one.citations] == ["Victor Horta lived in Saint-Gilles."]
    two = await ask(asked.chat, asked.principal, "Where did Victor Horta live and what is bread made of?")
    quotes = [citation.quote for citation in two.citations]
    assert "Victor Horta lived in Saint-Gilles." in quotes and "Bread is made of flour and water." in quotes
