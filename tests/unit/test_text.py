"""Sentences and terms."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchorage.chat.verification.markers import extract_markers
from anchorage.errors import ConfigurationError
from anchorage.text.analyser import format_analyser_name, load_analyser
from anchorage.text.sentences import find_sentence_spans, find_statement_spans


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in find_sentence_spans(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Dr. Smith went to Washington. He stayed.", ["Dr. Smith went to Washington.", "He stayed."]),
        ("J. R. Tolkien wrote it. It is long.", ["J. R. Tolkien wrote it.", "It is long."]),
        ("The price is 3.50 euros. Pay now.", ["The price is 3.50 euros.", "Pay now."]),
        ("He said “Stop.” Then he left.", ["He said “Stop.”", "Then he left."]),
        ("No end here\n\nA new paragraph", ["No end here", "A new paragraph"]),
        ("これは文です。次の文です。", ["これは文です。", "次の文です。"]),
        ("First:\n- one thing\n- another thing", ["First:", "- one thing", "- another thing"]),
        ("name | age\nAnna | 7\nBen | 9", ["name | age", "Anna | 7", "Ben | 9"]),
        ("A line that\nwraps around. Next.", ["A line that\nwraps around.", "Next."]),
        ("", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("**It opened in 1827.** It has three docks.", ["**It opened in 1827.**", "It has three docks."]),
        ("*One.* Two. __Three.__ Four.", ["*One.*", "Two.", "__Three.__", "Four."]),
        ("## Opening\nIt opened in 1827.", ["## Opening", "It opened in 1827."]),
        ("**Opening**\nIt opened in 1827.", ["**Opening**", "It opened in 1827."]),
        ("It has three docks:\nThe first is old.\nThe second is new.", ["It has three docks:", "The first is old.", "The second is new."]),
        ("Es begann am 3. Mai 1889. Es war kalt.", ["Es begann am 3. Mai 1889.", "Es war kalt."]),
        ("**Note:** it is 5.** 3", ["**Note:** it is 5.**", "3"]),
        ("Opening\n=======\nIt opened in 1827.\n---\nIt is old.", ["Opening\n=======", "It opened in 1827.", "---", "It is old."]),
        ("a **bold** word\nin a line", ["a **bold** word\nin a line"]),
    ],
)  # fmt: skip
def test_statements(text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in find_statement_spans(text)] == expected


@given(st.text(alphabet="ab .!?\n#*_:1A|-。é”", max_size=200))
def test_statements_miss_nothing_but_white_space_and_do_not_overlap(text: str) -> None:
    spans = list(find_statement_spans(text))
    assert "".join("".join(text[a:b].split()) for a, b in spans) == "".join(text.split())
    assert all(one[1] <= two[0] for one, two in itertools.pairwise(spans))


@given(st.text(alphabet="ab .!?\n\t|-。é”", max_size=200))
def test_sentences_miss_nothing_but_white_space_and_do_not_overlap(text: str) -> None:
    spans = list(find_sentence_spans(text))
    assert "".join("".join(text[a:b].split()) for a, b in spans) == "".join(text.split())
    assert all(one[1] <= two[0] for one, two in itertools.pairwise(spans))


def test_english_terms_are_stemmed_without_stop_words() -> None:
    analyser = load_analyser(format_analyser_name("english"))
    assert analyser.extract_terms("The cats' running is NOT Anna’s") == ["cat", "run", "anna"]
    assert analyser.extract_terms("Straße 猫犬 COVID-19") == ["straße", "猫", "犬", "covid", "19"]


def test_other_languages_and_none() -> None:
    assert load_analyser(format_analyser_name("german")).extract_terms("Häuser") == ["haus"]
    assert load_analyser(format_analyser_name("none")).extract_terms("Running the") == ["running", "the"]


def test_an_unknown_language_names_the_setting() -> None:
    with pytest.raises(ConfigurationError, match="ANCHORAGE_RETRIEVAL__LANGUAGE"):
        format_analyser_name("klingon")
    with pytest.raises(ConfigurationError, match="ingest the collection anew"):
        load_analyser("english/99")


@pytest.mark.parametrize("text", ["." * 300_000 + "x", '."' * 150_000 + "x", "?!" * 150_000 + "x"])
def test_long_runs_of_punctuation_are_read_in_linear_time(text: str) -> None:
    assert list(find_sentence_spans(text)) == list(find_statement_spans(text)) == [(0, len(text))]


def test_long_runs_of_spaces_are_searched_for_markers_in_linear_time() -> None:
    text = " " * 300_000 + "x  [1]"
    assert extract_markers(text).bare == text.removesuffix("  [1]")


@pytest.mark.parametrize("code", ["```\nx = a[1]\n```", "~~~\nx = a[1]\n~~~", "`a[1]`"])
def test_what_looks_like_a_marker_in_code_is_code(code: str) -> None:
    found = extract_markers(f"{code}\nSo it is [2].")
    assert found.bare == f"{code}\nSo it is." and [numbers for _, numbers in found.places] == [(2,)]


def test_the_words_of_asking_say_nothing_of_what_is_asked() -> None:
    english = load_analyser(format_analyser_name("english"))
    assert english.extract_question_terms("How do I add a web page as a source?") == ["add", "web", "page", "sourc"]
    assert english.extract_question_terms("What's the US budget?") == ["us", "budget"]
    assert english.extract_question_terms("My disk is full. How do I clean it?") == ["disk", "full", "clean"]
    assert english.extract_question_terms("How Do I Add A Page?") == ["add", "page"]


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("What do the WHO guidelines recommend?", "who"), ("WHO guidelines for malaria", "who"), ("How do I use a WHERE clause?", "where"),
        ("Who were The Who?", "who"), ("What caused World War I?", "i"), ("How do I avoid a type I error?", "i"), ("Why is I/O slow?", "i"),
        ("What is the DO statement?", "do"),
    ],
)  # fmt: skip
def test_a_word_of_asking_may_be_what_is_asked_about(question: str, named: str) -> None:
    assert named in load_analyser(format_analyser_name("english")).extract_question_terms(question)


def test_a_question_of_nothing_but_asking_is_taken_as_it_is() -> None:
    english = load_analyser(format_analyser_name("english"))
    assert (
        english.extract_question_terms("How do you do?")
        == english.extract_terms("How do you do?")
        == ["how", "do", "you", "do"]
    )
    other = load_analyser(format_analyser_name("german"))
    assert other.extract_question_terms("Wie komme ich hin?") == other.extract_terms("Wie komme ich hin?")
