"""The estimate of where tokens start, against its definition."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchorage.adapters.models.vectors import estimate_token_starts

_CJK = "\u3040-\u30ff\u3100-\u312f\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_TOKEN = re.compile(rf"[{_CJK}]|[^\W{_CJK}]{{1,4}}|[^\w\s]")


def by_definition(text: str) -> list[int]:
    return [match.start() for match in _TOKEN.finditer(text)]


@given(st.text(max_size=200))
def test_it_is_what_the_definition_says(text: str) -> None:
    assert estimate_token_starts(text).tolist() == by_definition(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "word",
        "words_and_more 12345 a.b",
        "Größe ist 12 km²",
        "東京タワーは333 m.",
        "a東b",
        "\ud800x",
        "🙂🙂 ok",
        "x" * 9,
        "\u3000a\u00a0b",
    ],
)
def test_texts_of_many_kinds(text: str) -> None:
    assert estimate_token_starts(text).tolist() == by_definition(text)
