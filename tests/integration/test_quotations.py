"""Answers by quotation over real documents: lists, tables, forms, commands and summaries, each cited at its place."""

from pathlib import Path

import pytest

from anchorage.adapters.sources.files.folder import LocalSource
from anchorage.model import Answer
from support.asking import ask

from .conftest import World

FILES = {
    "harbour.md": """# The harbour of Ghent

The harbour of Ghent lies on a canal to the sea. It was dug by hand, and has been deepened twice.

## Docks

The harbour has these docks:

- the old dock
- the coal dock
- the grain dock

## Start the crane

Start the crane from the command line:

```sh
crane up --load 20
```
""",
    "cities.csv": "City,Country,People\nGhent,Belgium,265086\nBruges,Belgium,118656\nLille,France,236710\n",
    "receipt.txt": "HARBOUR SHOP\nCashier: Anna Boch\nRegister: 7\nRope 2 @ $4.50\nTOTAL $9.00\nPaid by card\n",
}


@pytest.fixture
async def asked(world: World, tmp_path: Path) -> World:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
        source = LocalSource(tmp_path / name, max_bytes=10**6)
        assert [outcome.status.value async for outcome in world.ingester.ingest_source("c", source)] == ["indexed"]
    return world


async def answered(asked: World, question: str) -> Answer:
    """The answer; each citation is what its document says at its place."""
    answer = await ask(asked.chat, asked.principal, question)
    assert answer.citations, answer.answer
    for citation in answer.citations:
        text = (await asked.catalog.text(asked.principal, citation.document_id, citation.version)).text
        assert text[citation.start : citation.end] == citation.quote
    return answer


async def test_a_list_with_its_introduction(asked: World) -> None:
    answer = await answered(asked, "Which docks does the harbour of Ghent have?")
    assert answer.answer == "The harbour has these docks: the old dock the coal dock the grain dock [1]"


async def test_a_command_with_the_sentence_before_it(asked: World) -> None:
    answer = await answered(asked, "How do I start the crane from the command line?")
    assert "crane up --load 20" in answer.citations[0].quote and "Start the crane" in answer.citations[0].quote


async def test_a_line_of_a_receipt(asked: World) -> None:
    assert (await answered(asked, "Who was the cashier at the harbour shop?")).answer == "Cashier: Anna Boch [1]"


async def test_the_most_of_a_table_and_a_sum(asked: World) -> None:
    most = await answered(asked, "Which city has the most people?")
    assert "Ghent" in most.answer and "265086" in most.answer and "highest of 3" in most.answer
    total = await answered(asked, "What is the total number of people of the cities in Belgium?")
    assert "383,742" in total.answer and len(total.citations) == 2
    assert {citation.quote.split("City: ")[-1].split(" |")[0] for citation in total.citations} == {"Ghent", "Bruges"}


async def test_a_summary(asked: World) -> None:
    answer = await answered(asked, "Summarise the harbour document.")
    assert {citation.uri.rpartition("/")[2] for citation in answer.citations} == {"harbour.md"}
    assert "lies on a canal" in answer.answer


async def test_two_questions_in_one(asked: World) -> None:
    answer = await answered(asked, "Which docks does the harbour have, and who was the cashier at the harbour shop?")
    assert "the coal dock" in answer.answer and "Cashier: Anna Boch" in answer.answer
