"""Answers over the rows of a table: the most, the least, sums, averages and differences; none where it is not clear."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anchorage.chat.quoting.asked import read_question
from anchorage.chat.quoting.tables.compute import Computed, compute_answer
from anchorage.chat.quoting.tables.operation import find_operation
from anchorage.chat.quoting.tables.table import Number, Table, find_decimal_sign, parse_lines, parse_rows, read_number
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


@given(
    st.lists(
        st.lists(st.text(alphabet="aA1 .,:-$€%|9∞\n\t(", max_size=8), min_size=1, max_size=5), min_size=1, max_size=8
    ),
    st.sampled_from(
        [
            "What is the total a?",
            "Which a has the most A?",
            "What is the average A of a?",
            "How many more A has a than A 1?",
            "Which a has the lowest 1?",
        ]
    ),
)
@settings(max_examples=400, deadline=None)
def test_no_table_breaks_an_answer(cells: list[list[str]], question: str) -> None:
    text = "\n".join(" | ".join(cell.replace("\n", " ") for cell in row) for row in cells)
    tables = [
        found
        for found in (parse_rows(rows_of(text)), parse_rows(rows_of(text), "a | A | 1"), *parse_lines(rows_of(text)))
        if found
    ]
    for found in tables:
        computed(question, found)
        assert all(len(row.cells) == len(found.names) for row in found.rows)


@pytest.mark.parametrize(
    ("cells", "decimal"),
    [
        (["1.234", "12.500", "980"], None),
        (["1.234,50", "980"], ","),
        (["1,234.50", "12,500"], "."),
        (["2,5", "1,234"], ","),
        (["0.123", "0.500"], "."),
        (["1.000.000", "12.500"], ","),
        (["1,234", "12,500"], "."),
        (["12", "7"], "."),
    ],
)
def test_which_sign_stands_before_the_decimals(cells: list[str], decimal: str | None) -> None:
    assert find_decimal_sign(cells) == decimal


def test_a_sum_is_refused_where_a_cell_may_be_read_in_two_ways_or_has_another_unit() -> None:
    question = "What is the total weight of the ships?"
    assert computed(question, table("Ship | Weight\nAnna | 1.234\nBerta | 2.500")) is None
    assert computed(question, table("Ship | Weight\nAnna | 5 t\nBerta | 2500")) is None
    assert computed(question, table("Ship | Weight\nAnna | 9e999\nBerta | " + "9" * 400)) is None
    found = computed(question, table("Ship | Weight\nAnna | 1.234,5\nBerta | 2.500,5\nSubtotal | 3.735"))
    assert found and found.claim == "Weight: 3,735 (sum of 2 rows)"


def test_the_most_of_some_rows_is_not_the_most_of_all() -> None:
    ships = "Ship | Port | Weight | Notes\nAnna | Ghent | 10 | new\nBerta | Bruges | 30 | sold in Ostend\nClara | Ghent | 20 | old"
    found = computed("Which ship in Ghent has the highest weight?", table(ships))
    assert found and found.claim.startswith("Ship: Clara")
    assert computed("Which ship sold in Ostend has the highest weight?", table(ships)) is None


@pytest.mark.parametrize(
    ("question", "claim"),
    [
        ("How many cities are in Belgium?", "2 of 3 rows: Ghent; Bruges"),
        ("How many cities are in the table?", "3 of 3 rows: Ghent; Bruges; Lille"),
        ("How many cities did Anna visit?", None),
        ("How many people live in Ghent?", None),
        ("How many countries have a king?", None),
    ],
)
def test_rows_are_counted(question: str, claim: str | None) -> None:
    found = computed(question, table(CITIES))
    assert (found.claim if found else None) == claim


def test_the_top_of_a_table() -> None:
    found = computed("What are the top two cities by people?", table(CITIES))
    assert found and [row.cells[0] for row in found.rows] == ["Ghent", "Lille"]
    found = computed("Which are the 2 smallest cities by area?", table(CITIES))
    assert found and [row.cells[0] for row in found.rows] == ["Lille", "Bruges"]


def test_the_head_that_is_repeated_on_the_next_page_is_no_row() -> None:
    found = table("Ship | Weight\nAnna | 10\nShip | Weight\nBerta | 30")
    assert [row.cells[0] for row in found.rows] == ["Anna", "Berta"]


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


PRODUCTS = """Product | Town | Maker | Price | Weight
Rope | Ghent | Anna | $45 | 3 kg
Sail | Ghent | Berta | $30 | 9 kg
Paint | Lille | Anna | $20 | 2 kg
Anchor | Lille | Clara | $90 | 40 kg
Chain | Ghent | Clara | $60 | 30 kg"""


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("What is the cheapest product in Ghent?", ["Sail"]),
        ("Which product of Clara has the lowest price?", ["Chain"]),
        ("Which product in Lille has the highest weight?", ["Anchor"]),
        ("What are the top two products in Ghent by weight?", ["Chain", "Sail"]),
        ("How many products are from Ghent?", ["Rope", "Sail", "Chain"]),
    ],
)
def test_what_a_question_filters_by_counts(question: str, rows: list[str]) -> None:
    found = computed(question, table(PRODUCTS))
    assert found is not None and [row.cells[0] for row in found.rows] == rows


@pytest.mark.parametrize(
    "question",
    [
        "Which Belgian product has the highest price?",  # no cell says what is Belgian
        "What is the cheapest product in Ghent by Clara of Lille?",
        "What is the average price of the top three products?",
        "How many products have a price of more than 30?",
        "How many products are from Ostend?",
        "What is the total number of products?",  # the rows are to be counted, not a column to be added
        "How many total products are there of this weight?",
        "What is the sum of the price and the weight?",
        "How many people died in Ghent?",
        "What is the most important reason to buy a rope?",
    ],
)
def test_what_a_table_does_not_tell_is_not_computed(question: str) -> None:
    assert computed(question, table(PRODUCTS)) is None


def test_a_month_before_the_name_of_another_column_is_no_second_measure() -> None:
    found = computed(
        "Which zone had the highest sales in January to June 2023?",
        table("Zone | Sales | January–June 2023 Costs\nNorth | 120 | 30\nSouth | 95 | 40", "January–June 2023"),
    )
    assert found is not None and found.rows[0].cells[0] == "North"


def test_a_cell_that_cannot_be_read_is_no_reason_to_guess() -> None:
    ships = "Ship | Weight\nAnna | 10 t\nBerta | 30 t\nClara | 20 t\nDora | 12 t\nEmma | {}"
    for cell in ("about forty", "30-40 t", "1720 1728"):
        assert computed("Which ship has the highest weight?", table(ships.format(cell))) is None
        assert computed("What is the total weight of the ships?", table(ships.format(cell))) is None
    for cell in ("", "n/a", "–"):
        found = computed("Which ship has the highest weight?", table(ships.format(cell)))
        assert found is not None and found.claim == "Ship: Berta | Weight: 30 t (highest of 4)"


def test_numbers_that_measure_nothing_are_not_added() -> None:
    years = table("Ship | Built | Rank order\nAnna | 1990 | 1\nBerta | 1995 | 2\nClara | 2001 | 3")
    assert computed("What is the total number of ships built?", years) is None
    seats = table("Seat | Member\n1 | Anna\n2 | Berta\n3 | Clara")
    assert computed("What is the total number of seats?", seats) is None


@pytest.mark.parametrize(
    "total", ["Total", "Grand total:", "SUBTOTAL", "Gesamt", "Gesamtsumme", "Durchschnitt", "Moyenne", "Promedio"]
)
def test_rows_of_totals_take_no_part(total: str) -> None:
    found = table(f"Ship | Weight\nAnna | 10\nBerta | 30\n{total} | 40")
    most = computed("Which ship has the highest weight?", found)
    assert most is not None and most.claim == "Ship: Berta | Weight: 30 (highest of 2)"
    whole = computed("What is the total weight of the ships?", found)
    assert whole is not None and whole.claim == "Weight: 40 (sum of 2 rows)"


def test_a_row_that_may_be_a_total_is_refused_and_other_words_are_no_totals() -> None:
    films = "Film | Cost\nTotal Recall | 65\nAlien | 11\nMedian | 20"
    assert computed("Which film has the highest cost?", table(films)) is None
    streets = table("Street | Length\nAll Saints Road | 65\nMain Road | 11")
    assert computed("Which street has the highest length?", streets) is None
    kinds = computed(
        "Which shirt has the highest price?", table("Shirt | Size | Price\nred | Media | 65\nblue | Grande | 11")
    )
    assert kinds is not None and kinds.rows[0].cells[0] == "red"


def test_a_table_that_stands_twice_counts_once() -> None:
    found = computed(
        "What is the total weight of the ships?", table("Ship | Weight\nAnna | 10\nBerta | 30\nAnna | 10\nBerta | 30")
    )
    assert found is not None and found.claim == "Weight: 40 (sum of 2 rows)"


def test_a_table_with_rows_that_do_not_fit_tells_no_extreme() -> None:
    odd = "Ship | Weight | Port\nAnna | 10 | Ghent\nBerta | 30 | Ghent\nClara | 5 | Ghent\nDora | 7 | Ghent\nEmma | 9 | 90 | 8 | Ghent"
    assert computed("Which ship has the highest weight?", table(odd)) is None


def test_a_sum_over_many_rows_says_how_many_of_them_are_cited() -> None:
    found = computed(
        "What is the total weight of the ships?",
        table("Ship | Weight\n" + "\n".join(f"ship {chr(97 + n)} | {n + 1}" for n in range(9))),
    )
    assert found is not None and len(found.rows) == 6
    assert found.claim == "Weight: 45 (sum of 9 rows, the first 6 of them cited)"


def test_small_differences_are_not_rounded_away() -> None:
    found = computed(
        "What is the difference in diameter between bolt M4 and bolt M6?",
        table("Bolt | Diameter\nM4 | 0.0411\nM6 | 0.0312\nM8 | 0.0201"),
    )
    assert found is not None and found.claim.startswith("difference: 0.0099")
    found = computed("What is the average diameter of the bolts?", table("Bolt | Diameter\nA | 0.0411\nB | 0.0312"))
    assert found is not None and found.claim.startswith("Diameter: 0.03615 ")


@pytest.mark.parametrize("piece", ["what is ", "how many ", "combien de ", "top 2 ", "most a "])
def test_a_long_question_is_no_question_for_a_table(piece: str) -> None:
    """It would take minutes if a pattern looked for its end from each of its beginnings."""
    assert find_operation(piece * 20_000) is None
