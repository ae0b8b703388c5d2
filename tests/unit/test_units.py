"""What can be quoted: sentences, lists with their introductions, rows, lines of forms, code; and what never is."""

from dataclasses import replace

import pytest

from anchorage.chat.quoting.prose import Kind, classify_spans
from anchorage.chat.quoting.units import Unit, UnitKind, split_into_units
from anchorage.model import Block, BlockKind, Hit
from anchorage.model.search import Surroundings
from anchorage.text.sentences import find_statement_spans

H, P, L, T, C = BlockKind.HEADING, BlockKind.PARAGRAPH, BlockKind.LIST_ITEM, BlockKind.TABLE_ROW, BlockKind.CODE


def hit(text: str, title: str = "Doc", start: int = 100) -> Hit:
    return Hit("1.1", "d1", "v1", "default", "file:///d", title, start, start + len(text), 1.0, text, dense_score=0.8)


def units(*blocks: tuple[BlockKind, str]) -> list[Unit]:
    """The units of a document of these blocks."""
    text, placed = "", []
    for kind, piece in blocks:
        placed.append(Block(kind, len(text), len(text) + len(piece), 1 if kind is H else 0))
        text += piece + "\n\n"
    found = hit(text, start=0)
    return split_into_units([found], [Surroundings(text, 0, placed)])


def told(*blocks: tuple[BlockKind, str]) -> list[tuple[UnitKind, str]]:
    return [(unit.kind, " ".join(unit.text.split())) for unit in units(*blocks)]


def test_a_list_is_quoted_with_what_introduces_it() -> None:
    found = units(
        (P, "Ships lie here. The harbour has three docks:"),
        (L, "the old dock"),
        (L, "the coal dock"),
        (L, "the dry dock"),
    )
    whole = "The harbour has three docks:\n\nthe old dock\n\nthe coal dock\n\nthe dry dock"
    assert [(unit.kind, unit.text) for unit in found] == [
        (UnitKind.SENTENCE, "Ships lie here."),
        (UnitKind.LIST, whole),
        (UnitKind.ITEM, "the old dock"),
        (UnitKind.ITEM, "the coal dock"),
        (UnitKind.ITEM, "the dry dock"),
    ]
    assert {unit.lead for unit in found[2:]} == {"The harbour has three docks:"} and len(
        {unit.group for unit in found[1:]}
    ) == 1
    assert [found[1].hit.text[slice(*part)] for part in found[1].parts] == [
        "the old dock",
        "the coal dock",
        "the dry dock",
    ]


def test_lists_that_one_sentence_introduces_are_one() -> None:
    found = units(
        (P, "There are four docks:"),
        (P, "Two on the left:"),
        (L, "old"),
        (L, "coal"),
        (P, "Two on the right:"),
        (L, "dry"),
        (L, "new"),
        (P, "Ships lie there."),
    )
    (widest,) = [unit for unit in found if unit.kind is UnitKind.LIST and unit.text.startswith("There are four docks:")]
    assert [widest.hit.text[slice(*part)] for part in widest.parts] == ["old", "coal", "dry", "new"]


def test_the_items_of_a_changelog_have_its_heading_as_their_introduction() -> None:
    found = units((H, "0.8.0 (2024-10-30)"), (L, "Added casts"), (L, "Dropped Postgres 12"))
    assert found[0].kind is UnitKind.HEADING and all("0.8.0 (2024-10-30)" in unit.path for unit in found[1:])
    assert [unit.kind for unit in found] == [UnitKind.HEADING, UnitKind.LIST, UnitKind.ITEM, UnitKind.ITEM]


def test_lists_of_plain_text() -> None:
    text = "Also, do not forget:\n- sunglasses\n- water, a lot\n  of it\n- a hat."
    found = told((P, text))
    assert (UnitKind.LIST, "Also, do not forget: - sunglasses - water, a lot of it - a hat.") in found
    assert (UnitKind.ITEM, "- water, a lot of it") in found


def test_rows_know_the_names_of_their_columns() -> None:
    found = units((T, "City | People"), (T, "Ghent | 260,000"), (T, "Bruges | 118,000"))
    assert [(unit.kind, unit.text, unit.lead) for unit in found] == [
        (UnitKind.ROW, "Ghent | 260,000", "City | People"),
        (UnitKind.ROW, "Bruges | 118,000", "City | People"),
    ]


def test_lines_of_a_form_are_lines() -> None:
    found = told((P, "HARBOUR SHOP\nCashier: Anna Boch\n-----------\nRope 2 @ $4.50\nTOTAL $9.00\n(415) 555-0199"))
    assert [text for _, text in found] == [
        "HARBOUR SHOP",
        "Cashier: Anna Boch",
        "Rope 2 @ $4.50",
        "TOTAL $9.00",
        "(415) 555-0199",
    ]
    wrapped = (
        "The harbour of Ghent was opened in 1827, when\nthe canal to the sea had been dug, and ships came\nfrom afar."
    )
    assert told((P, wrapped)) == [(UnitKind.SENTENCE, " ".join(wrapped.split()))]


def test_code_is_quoted_with_what_introduces_it() -> None:
    assert told((P, "It is easy. Start the server:"), (C, "harbour up"))[1] == (
        UnitKind.CODE,
        "Start the server: harbour up",
    )


@pytest.mark.parametrize(
    "nothing",
    [
        "Page 7 of 9",
        "www.harbour.example",
        "-----",
        "Table of contents",
        "When was it opened?",
        ":::{note}",
        '66. "Harbour of Ghent" (https://harbour.example/page/).',
        "Docks ........ 12",
        "Boch, Anna; Horta, Victor (2004).",
        "Harbour (https://harbour.example) Retrieved from https://harbour.example",
    ],
)
def test_what_is_never_an_answer(nothing: str) -> None:
    assert told((P, nothing), (P, "The harbour was opened in 1827.")) == [
        (UnitKind.SENTENCE, "The harbour was opened in 1827.")
    ]


def test_a_passage_whose_surroundings_are_not_known_is_read_by_itself() -> None:
    found = split_into_units([hit("The harbour has docks. It is old.")], [None])
    assert [unit.text for unit in found] == ["The harbour has docks.", "It is old."]


def test_copies_of_a_file_are_quoted_once() -> None:
    one = hit("The harbour of Ghent was opened in 1827.")
    copy = replace(one, document_id="d2", collection="other", chunk_id="2.1")
    other = replace(copy, version="v2")
    assert [unit.hit.document_id for unit in split_into_units([one, copy], [None, None])] == ["d1"]
    assert len(split_into_units([one, copy, other], [None] * 3)) == 2


def test_long_runs_are_looked_at_once() -> None:
    for run in ("." * 200_000, "1. " * 60_000, "(" * 200_000, "a | " * 50_000, "- x\n" * 20_000):
        units((P, f"The harbour {run}"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Harbours\n\nA harbour is where ships lie.", [False, True]),
        ("3.2 Harbours of the north\n\nA harbour is where ships lie.", [False, True]),
        ("# Harbours\nA harbour is where ships lie.", [False, True]),
        ("Open: 9 to 5\n\nThe harbour is closed on Sundays.", [True, True]),
        ("- Ghent\n- Antwerp is a port too.", [True, True]),
        ("Make sure that it is empty.\n\nmake sure", [True, False]),
        ("$ ls /tmp\n\nIt lists files.", [False, True]),
        ("Lists:\n\nls | list files\ncd | change folder", [False, False, True]),
        ("city | people\nGhent | 260,000", [False, True]),
        ("city: Ghent | people: 260,000\ncity: Bruges | people: 118,000", [True, True]),
        ('{"port": 8000,\n"host": "x"}', [False]),
        ("Call `serve(port=8000)` to start it.", [True]),
        (
            "bin/backup.sh dump harbour.dump\n# then\nkubectl scale deployment \\\n  --replicas 0\nbin/restore.sh harbour.dump",
            [False, False],
        ),
        ("helm get values harbour -o yaml --all | tee values.yaml", [False]),
        ("anchorage reindex NAME      # as the settings are now", [False]),
        ('anchorage ask "Who approved the plan?"', [False]),
        ("make 'sure' that the harbour is open before you sail", [True]),
        ('client = Client(key="any")\nfor answer in client.ask("it"):\n    print(answer.text)', [False, False]),
        ("and/or means that either of the two is enough here", [True]),
        ("make sure that the harbour is open\nbefore you sail into it", [True]),
        ("港口\n\n港口于1827年开放。", [False, True]),
    ],
)
def test_prose_is_told_from_headings_tables_and_code(text: str, says: list[bool]) -> None:
    spans = list(find_statement_spans(text))
    assert [kind is Kind.PROSE for kind in classify_spans(text, spans, True)] == says


def test_a_table_that_only_lays_out_a_page_is_prose() -> None:
    page = "The harbour was opened in 1827, when the canal had been dug. " * 6
    assert {kind for kind, _ in told((T, page))} == {UnitKind.SENTENCE}


def test_rules_around_a_sentence_are_no_part_of_it() -> None:
    assert told((P, "The harbour was opened by the king himself.\n==========================")) == [
        (UnitKind.SENTENCE, "The harbour was opened by the king himself.")
    ]


def test_a_sentence_ends_before_the_number_of_its_note() -> None:
    found = [text for _, text in told((P, "It was opened in 1827.[2][3] Ships came from afar.[4] They still do."))]
    assert len(found) == 3
