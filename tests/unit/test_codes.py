"""Codes, versions and names of settings as terms of their own."""

import pytest

from anchorage.text.analyser import format_analyser_name, load_analyser


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("When was 0.8.0 released?", ["0.8.0"]),
        ("SKU-4563 and TXN-98765-2024", ["sku-4563", "txn-98765-2024"]),
        ("set hnsw.ef_search = 40", ["hnsw.ef_search"]),
        ("on 2024-11-15", ["2024-11-15"]),
        ("a well-known IL-6 of 0.05, at 10:30", []),
        ("e.g. in the U.S. of 3.14", []),
        ("mail@ghent.example", []),
    ],
)
def test_codes_are_terms_of_their_own(text: str, codes: list[str]) -> None:
    assert format_analyser_name("english") == "english/2"
    new, old = load_analyser("english/2"), load_analyser("english/1")
    assert new.extract_terms(text) == old.extract_terms(text) + codes
    assert new.extract_question_terms(text) == old.extract_question_terms(text) + codes


def test_collections_that_are_there_keep_their_terms() -> None:
    assert load_analyser("english/1").extract_terms("0.8.0") == ["0", "8", "0"]
