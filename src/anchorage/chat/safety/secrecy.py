"""Keeps the instructions of the prompt out of answers, even if somebody asks the model to recite them."""

from __future__ import annotations

from functools import lru_cache

from anchorage.chat.generation.prompt import read_instructions
from anchorage.chat.state import ABSTENTION
from anchorage.text.sentences import find_sentence_spans

_WINDOW = 32  # characters; so many equal ones are a recital, not chance
_STEP = 8


def begins_recital(tail: str) -> bool:
    """Whether the end of a growing answer is part of the instructions."""
    end = _fold_text(tail[-4 * _WINDOW :])[-_WINDOW:]
    return len(end) == _WINDOW and end in _read_secret()


def strip_recital(text: str) -> str:
    """Remove the sentences that recite the instructions."""
    if not any(_is_recital(text[start:end]) for start, end in find_sentence_spans(text)):
        return text
    return " ".join(text[start:end] for start, end in find_sentence_spans(text) if not _is_recital(text[start:end]))


def _is_recital(sentence: str) -> bool:
    folded = _fold_text(sentence)
    return any(folded[at : at + _WINDOW] in _read_secret() for at in range(0, len(folded) - _WINDOW + 1, _STEP)) or (
        len(folded) >= _WINDOW and folded[-_WINDOW:] in _read_secret()
    )


@lru_cache(maxsize=1)
def _read_secret() -> str:
    # The abstention is part of the instructions, and answers may say it.
    return _fold_text(read_instructions().replace(ABSTENTION, "\x00"))


def _fold_text(text: str) -> str:
    return " ".join(text.casefold().split())
