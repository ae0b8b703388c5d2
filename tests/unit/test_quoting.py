"""Choosing what is quoted: the unit that answers, a list whole, of a wide row the cells that were asked for; and reading around passages."""

from dataclasses import replace

import numpy as np
import pytest

from anchorage.chat.quoting.asked import (
    choose_analyser,
    find_new_names,
    is_in_other_language,
    is_of_other_version,
    match_contact,
    match_form,
    read_question,
    repeats_question,
)
from anchorage.chat.quoting.choose import choose_quotations
from anchorage.chat.quoting.features import NAMES, add_cosines, compute_features, select_promising
from anchorage.chat.quoting.lead import tell_item
from anchorage.chat.quoting.ranker import RankedUnits, rank_units
from anchorage.chat.quoting.reading import find_tables, plan_window
from anchorage.chat.quoting.scale import CosineScale
from anchorage.chat.quoting.summary import asks_for_summary, choose_document, choose_sentences, find_summable
from anchorage.chat.quoting.units import Unit, UnitKind, split_into_units
from anchorage.chat.retrieval.compound import split_question, word_otherwise
from anchorage.model import Block, BlockKind, Hit
from anchorage.model.search import Surroundings
from anchorage.testing.hashing import hash_texts
from anchorage.text.analyser import format_analyser_name, load_analyser

ENGLISH = load_analyser(format_analyser_name("english"))
SCALE = CosineScale(0.1, 0.5)  # of hashed words
H, P, L, T = BlockKind.HEADING, BlockKind.PARAGRAPH, BlockKind.LIST_ITEM, BlockKind.TABLE_ROW


def hit(
    text: str, score: float = 1.0, title: str = "Doc", start: int = 0, uri: str = "file:///d", document: str = "d1"
) -> Hit:
    return Hit("1.1", document, "v1", "default", uri, title, start, start + len(text), score, text, dense_score=0.8)


def rank(question: str, units: list[Unit]) -> RankedUnits:
    asked = read_question(question, ENGLISH)
    table = compute_features(asked, units, ENGLISH)
    add_cosines(table, hash_texts([unit.text for unit in units], 64) @ hash_texts([question], 64)[0], SCALE)
    return rank_units(units, table)


def quoted(question: str, text: str, blocks: list[Block] | None = None) -> list[str]:
    found = hit(text)
    units = split_into_units([found], [Surroundings(text, 0, blocks) if blocks else None])
    chosen = choose_quotations(read_question(question, ENGLISH), rank(question, units), ENGLISH, 3, lambda _: True)
    return [quotation.claim for quotation in chosen]


def blocks_of(*given: tuple[BlockKind, str]) -> tuple[str, list[Block]]:
    text, placed = "", []
    for kind, piece in given:
        placed.append(Block(kind, len(text), len(text) + len(piece)))
        text += piece + "\n"
    return text, placed


@pytest.mark.parametrize(
    ("question", "text", "first"),
    [
        (
            "When was the harbour of Ghent opened?",
            "The harbour has three docks. The harbour of Ghent was opened in 1827. Ships came from afar.",
            "The harbour of Ghent was opened in 1827.",
        ),
        (
            "What is a reranker?",
            "Each reranker waits for the others. A reranker is a model that orders passages anew. The reranker is slow.",
            "A reranker is a model that orders passages anew.",
        ),
        (
            "Who designed the Hôtel Tassel?",
            "The Hôtel Tassel is a house. The Hôtel Tassel was designed by Victor Horta. Its stairs are of iron.",
            "The Hôtel Tassel was designed by Victor Horta.",
        ),
        ("Who was the cashier?", "HARBOUR SHOP\nCashier: Anna Boch\nRegister: 7\nTOTAL $9.00", "Cashier: Anna Boch"),
        ("What was the total?", "HARBOUR SHOP\nTotal Points: 3,247\nRegister: 7\nTOTAL $9.00", "TOTAL $9.00"),
        (
            "What is the e-mail address of the harbour?",
            "The harbour of Ghent has an office. Write to the harbour office at dock@ghent.example for berths.",
            "Write to the harbour office at dock@ghent.example for berths.",
        ),
    ],
)
def test_the_unit_with_the_answer_is_quoted_alone(question: str, text: str, first: str) -> None:
    assert quoted(question, text) == [first]


def test_the_question_itself_is_no_answer() -> None:
    question = "How is the data directory chosen?"
    for text in (question, 'anchorage ask "How is the data directory chosen?"', "## How is the data directory chosen"):
        assert repeats_question(text, question)
    told = "How is the data directory chosen? By --data, then by ANCHORAGE_DATA, then by the platform, in this order."
    assert not repeats_question(told, question) and not repeats_question("It is chosen by --data.", question)


def test_a_list_is_quoted_whole_and_a_long_one_item_by_item() -> None:
    text, blocks = blocks_of((P, "The harbour of Ghent has these docks:"), (L, "old dock"), (L, "coal dock"))
    assert quoted("Which docks does the harbour of Ghent have?", text, blocks) == [text.strip()]
    items = [f"the dock of the {word} {'x' * 60}" for word in ("coal", "grain", "iron", "wood", "wine", "salt")]
    text, blocks = blocks_of((P, "The harbour of Ghent has these docks:"), *((L, item) for item in items))
    assert quoted("Which docks does the harbour of Ghent have?", text, blocks) == items


@pytest.mark.parametrize(
    ("lead", "told"),
    [
        (
            "Ships are insured. The following are NOT covered:",
            "The following are NOT covered: damage by ice in the harbour of Ghent",
        ),
        ("The insurance covers:", "The insurance covers: damage by ice in the harbour of Ghent"),
        ("Ausgeschlossen sind", "Ausgeschlossen sind: damage by ice in the harbour of Ghent"),
        ("Of the insurance", "damage by ice in the harbour of Ghent"),
    ],
)
def test_an_item_is_told_with_what_introduces_it(lead: str, told: str) -> None:
    item = "damage by ice in the harbour of Ghent"
    text = f"{lead}\n{item}"
    unit = Unit(hit(text), 0, len(lead) + 1, len(text), UnitKind.ITEM, ("Doc",), lead)
    assert tell_item(unit, unit.start, unit.end) == told
    whole = Unit(hit(text), 0, 0, len(text), UnitKind.LIST, ("Doc",), lead, 0, ((len(lead) + 1, len(text)),))
    of_long_list = tell_item(whole, *whole.parts[0])
    assert (of_long_list == told) is ("NOT" in lead or "Ausg" in lead or told == item)


def test_what_announces_several_items_is_said_once() -> None:
    text = "The insurance covers:\ndamage by ice"
    unit = Unit(hit(text), 0, 22, len(text), UnitKind.ITEM, ("Doc",), "The insurance covers:")
    assert tell_item(unit, unit.start, unit.end, again=True) == "damage by ice"
    never = replace(unit, lead="Never covered:")
    assert tell_item(never, unit.start, unit.end, again=True) == "Never covered: damage by ice"


def test_an_item_of_a_list_of_exceptions_does_not_say_the_opposite() -> None:
    text, blocks = blocks_of(
        (P, "The following are not covered:"),
        (L, "theft of a rope from a moored ship"),
        (L, "damage by ice in winter"),
        (P, "Ask the office."),
    )
    for claim in quoted("Is damage by ice covered?", text, blocks):
        assert "not covered" in claim


def test_of_a_wide_row_the_cells_that_were_asked_for_are_shown() -> None:
    filler = " | ".join(f"Column {n}: value number {n}" for n in range(14))
    rows = [f"First Name: {name} | {filler} | Email: {name.lower()}@ghent.example" for name in ("Anna", "Victor")]
    text, blocks = blocks_of(*((T, row) for row in rows))
    (claim,) = quoted("What is Victor's email address?", text, blocks)
    assert claim == "First Name: Victor | Email: victor@ghent.example"


def test_a_question_for_two_things_gets_two_quotations() -> None:
    text = "Ghent has a harbour with three docks. The bread is good. Bruges has a harbour with one dock."
    chosen = quoted("How do the harbours of Ghent and Bruges differ?", text)
    assert len(chosen) == 2 and {claim.split()[0] for claim in chosen} == {"Ghent", "Bruges"}


def test_an_answer_is_likelier_where_there_is_one() -> None:
    units = split_into_units([hit("The harbour of Ghent was opened in 1827. Ships came from afar.")], [None])
    likely = rank("When was the harbour of Ghent opened?", units).probability
    assert likely > 0.5 > 0.1 > rank("Who won the cup final of 2018?", units).probability
    assert rank_units((), np.zeros((0, len(NAMES)), dtype=np.float32)).probability == 0


def test_a_name_that_is_nowhere_makes_an_answer_unlikely() -> None:
    units = split_into_units([hit("SKU-1234 costs 5 euros. SKU-1235 costs 6 euros.")], [None])
    assert rank("What does SKU-1234 cost?", units).probability > 3 * rank("What does SKU-9999 cost?", units).probability


def test_only_promising_units_are_embedded() -> None:
    units = split_into_units(
        [hit("The harbour of Ghent was opened in 1827. " + "Bread is good. " * 3 + "It is so.")], [None]
    )
    table = compute_features(read_question("When was the harbour opened?", ENGLISH), units, ENGLISH)
    assert select_promising(table, 1).tolist() == [0] and len(select_promising(table, 99)) == len(units)


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("Wann wurde der Hafen von Gent eröffnet?", "german"),
        ("Quand est-ce que le port a été ouvert ?", "french"),
        ("When was the harbour opened?", "english"),
    ],
)
def test_passages_are_read_in_the_language_of_the_question(question: str, language: str) -> None:
    assert choose_analyser(question, ENGLISH).language == language
    asked = read_question(question, choose_analyser(question, ENGLISH))
    assert asked.when and not asked.who


def test_things_with_a_form_of_their_own() -> None:
    phone, who = read_question("What is the phone number?", ENGLISH), read_question("Who is it?", ENGLISH)
    assert match_contact("call (415) 555-0199", phone) is True
    assert match_contact("call us", phone) is False
    assert match_contact("call us", who) is None
    price = read_question("What is the total?", ENGLISH)
    assert match_form("$9.00", price) is True and match_form("nine", price) is False and match_form("$9", who) is None
    assert match_form("$9", read_question("How many points are there in total?", ENGLISH)) is None
    assert find_new_names("The office of Victor Horta", read_question("Who had an office?", ENGLISH))


@pytest.mark.parametrize(
    ("question", "other"),
    [
        ("Wer hat den Hafen gebaut?", True),
        ("¿Qué puertos hay?", True),
        ("من بنى الميناء؟", True),
        ("Who built the harbour?", False),
        ("Ghent harbour 1827", False),
    ],
)
def test_a_question_in_another_language_than_the_passages(question: str, other: bool) -> None:
    texts = [
        "The harbour was built by the town in 1827.",
        "TOTAL 9.00",
        "It is the oldest of the harbours in the country.",
    ]
    assert is_in_other_language(question, texts, ENGLISH) is other
    assert is_in_other_language(question, ["TOTAL 9.00"], ENGLISH) is other  # a receipt does not show its language


def test_a_question_of_which_not_a_word_is_there_is_not_answered() -> None:
    units = split_into_units([hit("The harbour of Ghent was opened in 1827.")], [None])
    assert rank("asdfghjkl", units).probability == 0 < rank("When was the harbour opened?", units).probability


def test_a_changelog_answers_below_the_heading_of_its_version() -> None:
    asked = read_question("What was added in Harbour 0.7.0?", ENGLISH)
    assert is_of_other_version(("Changes", "0.6.0 (2024-01-29)"), "Added a crane", asked)
    assert not is_of_other_version(("Changes", "0.7.0 (2024-04-29)"), "Added a crane", asked)
    assert not is_of_other_version(("Changes", "0.6.0"), "In 0.7.0 a crane was added", asked)
    assert not is_of_other_version(("Changes", "Cranes"), "Added a crane", asked)
    assert not is_of_other_version(("Changes", "0.6.0"), "Added a crane", read_question("What was added?", ENGLISH))


def test_of_a_list_that_was_not_asked_for_its_best_item_counts() -> None:
    items = ["Added support for Ghent 12", "Dropped support for Bruges 11", "Dropped the harbour"]
    spread = NAMES.index("spread_over_items")

    def measure(question: str) -> float:
        start, parts = 0, []
        for item in items:
            parts.append((start, start + len(item)))
            start += len(item) + 1
        found = hit("\n".join(items))
        unit = Unit(found, 0, 0, len(found.text), UnitKind.LIST, ("Changes",), "", 0, tuple(parts))
        return float(compute_features(read_question(question, ENGLISH), [unit], ENGLISH)[0, spread])

    assert measure("Which version dropped support for Ghent?") > 0
    assert measure("Which versions were dropped, list all of them") == 0


@pytest.mark.parametrize(
    ("question", "wordings"),
    [
        ("What is a lock?", ["definition of lock", "lock: definition, glossary"]),
        ("Was ist ein Vertrag?", ["definition of Vertrag", "Vertrag: definition, glossary"]),
        (
            "Which licences do Ghent and Bruges have?",
            ["Which licences do Ghent have?", "Which licences do Bruges have?"],
        ),
        ("What are the pros and cons of locks?", []),
        ("Who built the harbour?", []),
    ],
)
def test_wordings_that_need_no_model(question: str, wordings: list[str]) -> None:
    assert word_otherwise(question) == wordings


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        ("How do I start the server, and how do I stop the server?", 2),
        ("Who built the harbour? And when was the canal dug?", 2),
        ("When was he born and where?", 0),
        ("What is the difference between a lock and a key?", 0),
        ("Wie heißt der Hafen und wann wurde er eröffnet?", 2),
    ],
)
def test_questions_that_are_joined(question: str, parts: int) -> None:
    assert len(split_question(question)) == parts


def test_a_window_ends_between_sentences_and_knows_what_is_above() -> None:
    blocks = [Block(H, 0, 10, 1), Block(P, 12, 500), Block(H, 502, 510, 2), Block(P, 512, 5000), Block(P, 5002, 5100)]
    window = plan_window(blocks, 2000, 2500, reach=300)
    assert (window.start, window.end) == (2000, 2500) and [block.start for block in window.headings] == [0, 502]
    whole = plan_window(blocks, 100, 400, reach=300)
    assert (whole.start, whole.end) == (0, 510 if whole.end == 510 else 400)
    assert plan_window([], 5, 9).blocks == (Block(P, 5, 9),)


def test_a_table_is_read_from_its_head_on() -> None:
    blocks = [Block(T, at * 20, at * 20 + 19) for at in range(200)]
    window = plan_window(blocks, 3000, 3100, reach=100)
    assert window.table_head == blocks[0]
    (place,) = find_tables(blocks, 3000, 3100)
    assert (place.start, place.end, len(place.rows)) == (0, blocks[-1].end, 200)


@pytest.mark.parametrize(
    ("question", "asks"),
    [
        ("Summarise the harbour report.", True),
        ("What is The Adventures of Tom Sawyer about?", True),
        ("Fasse den Bericht zusammen", True),
        ("Résume ce document", True),
        ("Resume el informe", True),
        ("What is a harbour?", False),
        ("Who wrote the report?", False),
        ("Give me a short summary of the essay about ships.", True),
        ("Could you please give me an overview of the report?", True),
        ("Gib mir eine kurze Zusammenfassung des Berichts", True),
        ("Donne-moi un résumé du rapport", True),
        ("Dame un resumen del informe", True),
        ("The harbour report: tl;dr", True),
        ("What is the summary judgment rule?", False),
        ("What does the executive summary say about costs?", False),
        ("How do I summarise a table?", False),
        ("Can an upload resume after it stopped?", False),
        ("What is an overview page?", False),
        ("Where is the outline of the building kept?", False),
        ("Wie schreibe ich eine Zusammenfassung?", False),
    ],
)
def test_questions_for_a_summary(question: str, asks: bool) -> None:
    assert asks_for_summary(question) is asks


def test_a_summary_is_of_the_document_that_is_named_and_of_its_parts() -> None:
    report = hit("The harbour report.", 0.2, "Harbour report", uri="file:///harbour-report.md", document="d2")
    asked = read_question("Summarise the harbour report.", ENGLISH)
    assert choose_document(asked, [hit("Ships.", 1.0), report], ENGLISH) is report
    assert choose_document(asked, [], ENGLISH) is None
    about = hit("Of ships.", 0.6, "How ships are loaded | Harbour report", uri="file:///x", document="d3")
    assert choose_document(asked, [about, report], ENGLISH) is report  # what a title begins with is what it is about
    text = " ".join(
        f"The {word} of the harbour of Ghent is described in this part."
        for word in ("crane", "dock", "quay", "lock", "bridge", "tower", "canal")
    )
    boilerplate = "Copyright by the town of Ghent, all rights reserved. To make it work, add to the file the following"
    units = find_summable(split_into_units([hit(f"{text} {boilerplate}")], [None]), 64)
    chosen = choose_sentences(units, hash_texts([unit.text for unit in units], 64), SCALE)
    assert len(chosen) == 5 and [unit.start for unit in chosen] == sorted(unit.start for unit in chosen)
    assert choose_sentences([], np.zeros((0, 4), dtype=np.float32), SCALE) == []
    assert {unit.kind for unit in units} == {UnitKind.SENTENCE}


@pytest.mark.parametrize(
    "piece", ["_", "A", "1.", "a_", "A-", "x@x", "1 ", "\n", "how many ", "what is a ", "- ", "a.", "? ("]
)
def test_a_hostile_question_is_read_in_no_time(piece: str) -> None:
    """So long that it would take minutes if a pattern looked at a text again from each of its places."""
    question = piece * (60_000 // len(piece)) + "?"
    asked = read_question(question, ENGLISH)
    found = [Unit(hit(question), 0, 0, len(question), UnitKind.SENTENCE)]
    assert compute_features(asked, found, ENGLISH).shape == (1, len(NAMES))
    assert split_question(question) == [] and isinstance(word_otherwise(question), list)
    choose_analyser(question, ENGLISH), asks_for_summary(question)
