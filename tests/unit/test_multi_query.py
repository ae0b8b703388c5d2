"""Several wordings of a question: how they are asked for, and how what they find is fused."""

from typing import Any

import pytest

from anchorage.chat.generation.usage import UsageRecorder
from anchorage.chat.retrieval.multi_query import QueryExpander, fuse_rankings, interleave_rankings
from anchorage.chat.state import ChatLimits, TurnContext
from anchorage.errors import AnchorageError, ModelUnavailable
from anchorage.model import LOCAL_OWNER, Hit
from anchorage.testing.fakes import ScriptedGenerator


def hit(name: str) -> Hit:
    return Hit(name, f"d-{name}", "v", "c", f"file:///{name}", name, 0, 4, 0.5, "text")


def names(hits: list[Hit]) -> list[str]:
    return [item.chunk_id for item in hits]


def test_each_part_of_a_question_has_a_passage_among_the_first() -> None:
    found = interleave_rankings([hit("a"), hit("b"), hit("c")], [[hit("b"), hit("d")], [hit("e")]])
    assert names(found) == ["a", "b", "e", "d", "c"]


def test_the_question_itself_weighs_as_much_as_all_its_wordings() -> None:
    found = fuse_rankings([hit("a"), hit("b")], [[hit("c"), hit("b")], [hit("c"), hit("d")]])
    assert names(found)[0] == "b"  # found by the question and by a wording
    assert set(names(found)) == {"a", "b", "c", "d"}
    assert all(0 < item.score <= 1 for item in found)
    assert [item.score for item in found] == sorted((item.score for item in found), reverse=True)
    assert fuse_rankings([hit("a")], [[hit("a")]])[0].score == 1


async def asked(answer: str | AnchorageError, count: int = 3) -> tuple[list[str], ScriptedGenerator]:
    generator = ScriptedGenerator([answer])
    limits = ChatLimits(10, 100, 0.5, 6, 3, 200, 8, 60, abstain=True, queries=count + 1)

    async def unheard(kind: str, data: dict[str, Any]) -> None:
        return None

    expander = QueryExpander(generator, UsageRecorder(), limits)
    found = await expander.write_wordings("Where is the harbour?", TurnContext(LOCAL_OWNER, unheard))
    return found, generator


@pytest.mark.parametrize(
    "answer",
    [
        "1. Where lies the port?\n2) Which town has the docks?\n",
        "- Where lies the port?\n\n* Which town has the docks?\n- Where is the harbour?",
        "Where lies the port?\nWhere lies the port?\n" + "x" * 61 + "\nWhich town has the docks?",
    ],
)
async def test_wordings_are_read_from_lists(answer: str) -> None:
    found, generator = await asked(answer)
    assert found == ["Where lies the port?", "Which town has the docks?"]
    assert "3 questions" in generator.prompts[0][0].content


async def test_no_more_than_asked_for() -> None:
    assert (await asked("a?\nb?\nc?", 2))[0] == ["a?", "b?"]


async def test_a_generator_that_fails_leaves_the_question() -> None:
    assert (await asked(ModelUnavailable("Away. Try again.")))[0] == []


async def test_one_query_asks_no_generator() -> None:
    found, generator = await asked("a?", 0)
    assert found == [] and not generator.prompts
