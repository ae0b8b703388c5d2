"""Which language a short question is in."""

import pytest

from anchorage.text.languages import load_language
from anchorage.text.question_language import detect_question_language, is_in_latin_script


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("Wer hat den Hafen gebaut?", "german"),
        ("Wo liegt Gent?", "german"),
        ("¿Qué tipos de puerto admite?", "spanish"),
        ("Qui a écrit ce livre ?", "french"),
        ("Comment s'appelle la tante ?", "french"),
        ("Dove vive Anna?", "italian"),
        ("Wat is een haven?", "dutch"),
        ("Как зовут тётю?", "russian"),
        ("Was the harbour opened?", "english"),
        ("Comment syntax in YAML", "english"),
        ("harbour fees 2024", "english"),
        ("Is Wo Fat in the film?", "english"),
    ],
)
def test_how_a_question_opens_tells_its_language(question: str, language: str) -> None:
    assert detect_question_language(question, load_language("english")).name == language


def test_the_expected_language_is_kept_where_nothing_shows_another() -> None:
    german = load_language("german")
    assert detect_question_language("Hafen Gent", german) is german


def test_scripts() -> None:
    assert (
        is_in_latin_script("Où est-ce ?") and is_in_latin_script("2024") and not is_in_latin_script("من بنى الميناء؟")
    )
