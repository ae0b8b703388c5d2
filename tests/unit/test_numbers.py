"""Numbers in one notation."""

import pytest

from anchorage.text.languages import load_language
from anchorage.text.numbers import find_number_values, find_numbers


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1,000 men", {1000}), ("one thousand men", {1000}), ("1.5 million", {1.5e6}), ("$2bn", {2e9}), ("1.234,5", {1234.5}),
        ("1,234.5", {1234.5}), ("3,5 km", {3.5}), ("the 19th century", {19}), ("the nineteenth century", {19}), ("twenty-five", {25}),
        ("1914-18", {1914, 1918}), ("12.05.1905", {12, 5, 1905}), ("12 May 1905", {12, 5, 1905}), ("May 12, 1905", {5, 12, 1905}),
        ("you may go", set()), ("at -5 degrees", {-5}), ("COVID-19", {19}), ("50%", {50}), ("1.234", {1234, 1.234}), ("", set()),
    ],
)  # fmt: skip
def test_values(text: str, values: set[float]) -> None:
    assert find_number_values(text) == values


@pytest.mark.parametrize(
    ("said", "written", "same"),
    [
        ("about 5 million", "5,120,000", True), ("5 million", "5,120,000", False), ("about 270 km", "260 km", False),
        ("over 1,200", "1,234", True), ("nearly 70", "69.6", True), ("about 0", "7", False), ("-5", "5", False),
    ],
)  # fmt: skip
def test_what_is_called_approximate_may_round(said: str, written: str, same: bool) -> None:
    (number,) = find_numbers(said)
    assert number.is_among(find_number_values(written)) is same


@pytest.mark.parametrize(
    ("language", "text", "values"),
    [
        ("german", "drei Bögen und fünfundzwanzig Leute", {3, 25}), ("german", "im März 1889", {3, 1889}),
        ("german", "am 1. Juni", {1, 6}), ("french", "vingt-cinq ans, douze salles", {25, 12}),
        ("french", "quatre-vingts, quatre-vingt-cinq", {80, 85}), ("spanish", "treinta y cinco", {35}),
        ("spanish", "el 3 de mayo de 1889", {3, 5, 1889}), ("italian", "ventidue", {22}), ("portuguese", "dois milhões", {2e6}),
        ("dutch", "vijfendertig", {35}), ("russian", "двадцать пять, 3 мая, двух", {25, 3, 5, 2}), ("vietnamese", "ba nhà máy, 12 triệu", {3, 12e6}),
        ("chinese", "三百二十, 二〇一九年, 两百", {320, 2019, 200}), ("japanese", "三千円と五万円", {3000, 50000}), ("finnish", "two", {2}),
    ],
)  # fmt: skip
def test_values_in_other_languages(language: str, text: str, values: set[float]) -> None:
    assert find_number_values(text, load_language(language)) == values


def test_a_scale_is_shared_by_the_numbers_of_a_list() -> None:
    assert find_number_values("14, 22 and 31 million") == {14, 22, 14e6, 22e6, 31e6}
    assert find_number_values("5 trucks and 3 million tonnes") == {5, 3e6}
