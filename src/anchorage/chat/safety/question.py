"""question: cleans and checks a question before anything is done with it."""

from __future__ import annotations

from anchorage.errors import BadRequest, TooLarge
from anchorage.text.hidden import replace_zero_width_spaces, strip_hidden_characters


def strip_unstorable_characters(text: str) -> str:
    """Remove what no database and no model takes: NUL, and lone surrogates, which JSON lets through."""
    return text.replace("\x00", "").encode("utf-8", "ignore").decode()


def clean_question(question: str) -> str:
    """Strip outer white space and hidden characters, which would hide from the guards what a model reads."""
    return strip_hidden_characters(replace_zero_width_spaces(strip_unstorable_characters(question))).strip()


def check_question(question: str, limit: int) -> str:
    """Return the cleaned question. Raises `BadRequest` when empty and `TooLarge` when over the limit."""
    question = clean_question(question)
    if not question:
        raise BadRequest("The question is empty: write what you want to know.")
    if len(question) > limit:
        raise TooLarge(
            f"The question has {len(question)} characters; at most {limit} are read (ANCHORAGE_ANSWER__QUESTION_LIMIT). "
            "Shorten it, or ingest long texts as documents and ask about them."
        )
    return question
