"""Answers over the rows of a table: the most, the least, sums, averages and differences; none where it is not clear."""

import pytest

from anchorage.chat.quoting.asked import read_question
from anchorage.chat.quoting.tables.compute import Computed, compute_answer, find_operation
from anchorage.chat.quoting.tables.table import Number, Table, parse_lines, parse_rows, read_number
from anchorage.text.analyser import format_analyser_name, load_analyser

ENGLISH = load_analyser(format_analyser_name("english"))

CITIES = """City | Country | People | Area
Ghent | Belgium | 265,086 | 156 km2
Bruges | Belgium | 118,656 | 138 km2
Lille | France | 236,710 | 35 km2
Total | | 620,452 | 329 km2"""
SHIPS = """2019 | Steam Ships: 120 | Sailing Ships: 80
2020 | Steam Ships: 130 | Sailing Ships: 95
2021 | Steam Ships: 150 | Sailing Ships: 110"""
STOCK = """Stock Review:
Product Code Category Unit Cost Total Value Last Audit Notes
SKU-8847 Rope $45.00 $13,005.00 2024-10-15
SKU-9201 Sails $32.50 $25,285.00 2024-10-22 Verified
SKU-4563 Paint $120.00 $18,720.00 Critical
SKU-6678 Paint $200.00 $42,000.00 2024-10-25 High Value"""


def rows_of(text: str) -> list[tuple[int, int, str]]:
    found, at = [], 0
    for line in text.split("\n"):
        found.append((at, at + len(line), line))
        at += len(line) + 1
    return found


def table(text: str, caption: str = "") -> Table:
    found = parse_rows(rows_of(text), caption=caption)
    assert found is not None
    return found


def computed(question: str, found: Table) -> Computed | None:
    return compute_answer(read_question(question, ENGLISH), found, ENGLISH)


@pytest.mark.parametrize(
    ("question", "claim"),
    [
        (
            "Which city has the most people?",
            "City: Ghent | Country: Belgium | People: 265,086 | Area: 156 km2 (highest of 3)",
        ),
        (
            "Which city has the smallest area?",
            "City: Lille | Country: France | People: 236,710 | Area: 35 km2 (lowest of 3)",
        ),
        ("What is the total number of people of the cities in Belgium?", "People: 383,742 (sum of 2 rows)"),
        ("What is the average area of the cities?", "Area: 109.67 km2 (average of 3 rows)"),
    ],
)
def test_rows_are_computed_over(question: str, claim: str) -> None:
    found = computed(question, table(CITIES))
    assert found is not None and found.claim == claim
    assert all("Total" not in row.cells for row in found.rows)


def test_rows_that_name_their_columns() -> None:
    found = computed("How many more sailing ships were there in 2021 than in 2019?", table(SHIPS))
    assert found is not None and found.claim.startswith("difference: 30 (")
    assert [row.cells[0] for row in found.rows] == ["2021", "2019"]
    most = computed("In which year were there the most steam ships?", table(SHIPS))
    assert most is not None and "2021 | Steam Ships: 150" in most.claim


def test_lines_of_a_report() -> None:
    (found,) = parse_lines(rows_of(STOCK))
    assert list(found.names) == ["Product", "", "Unit Cost", "Total Value", ""]
    dearest = computed("Which SKU has the highest unit cost?", found)
    assert dearest is not None and "SKU-6678" in dearest.claim
    paint = computed("What is the total value of all paint products in the stock review?", found)
    assert paint is not None and paint.claim == "Total Value: $60,720 (sum of 2 rows)"
    assert [row.cells[0] for row in paint.rows] == ["SKU-4563", "SKU-6678"]


@pytest.mark.parametrize(
    "question",
    [
        "Which city has the most museums?",
        "What is the total number of people in Spain?",
        "Which city has the second largest area?",
        "Which city had the most people before 1900?",
        "Who is the mayor of Ghent?",
        "How many people live in Ghent?",
    ],
)
def test_nothing_is_computed_where_it_is_not_clear(question: str) -> None:
    assert computed(question, table(CITIES)) is None


def test_units_that_differ_are_not_compared() -> None:
    assert computed("Which rope is the longest in length?", table("Rope | Length\nA | 3 m\nB | 40 cm\nC | 2 m")) is None


def test_another_kind_of_the_same_thing_is_not_meant() -> None:
    assert computed("How many more fishing ships were there in 2021 than in 2019?", table(SHIPS)) is None


def test_a_title_above_the_head_and_before_the_rows() -> None:
    found = table("Cups\nCups: Team | Town | Cups\nCups: Blues | STL | 1\nCups: Flyers | PHI | 2")
    assert list(found.names) == ["Team", "Town", "Cups"] and found.rows[1].cells == ["Flyers", "PHI", "2"]
    unnamed = table("| Food | Calories\nLeaves | Ash | 50\nGrain | Corn | 200")
    assert list(unnamed.names) == ["", "Food", "Calories"]


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("1,234", Number(1234, "")),
        ("1.234,5", Number(1234.5, "")),
        ("1,234.50", Number(1234.5, "")),
        ("$9.00", Number(9, "$")),
        ("-3 %", Number(-3, "%")),
        ("(12)", Number(-12, "")),
        ("1 200 km", Number(1200, "km")),
        ("2'000", Number(2000, "")),
        ("2024-10-15", None),
        ("SKU-8847", None),
        ("ca. ten", None),
        ("", None),
        ("3.5", Number(3.5, "")),
        ("0,75", Number(0.75, "")),
        ("1.000.000", Number(1_000_000, "")),
        ("17,81,841", Number(1_781_841, "")),
        ("1.2.3", None),
    ],
)
def test_numbers_of_cells(cell: str, number: Number | None) -> None:
    assert read_number(cell) == number


@pytest.mark.parametrize(
    ("question", "operation"),
    [
        ("Welche Stadt hat die meisten Einwohner?", "most"),
        ("Quelle ville a la moins grande surface, le moins ?", "least"),
        ("¿Qué ciudad tiene más gente?", "most"),
        ("Wie viele mehr Schiffe waren es 2021?", "difference"),
        ("Does it need at least Postgres 13?", None),
        ("What is the most recent version?", None),
        ("Who built the harbour?", None),
    ],
)
def test_what_is_asked_to_be_computed(question: str, operation: str | None) -> None:
    assert find_operation(question) == operation
