"""Keeps the instructions of the prompt out of answers, whoever asked a model to recite them."""

from __future__ import annotations

from functools import lru_cache

from anchorage.chat.generation.prompt import instructions
from anchorage.chat.state import ABSTENTION
from anchorage.text.sentences import find_sentence_spans

_WINDOW = 32  # characters that coincide with the instructions by recital only
_STEP = 8


def recites(tail: str) -> bool:
    """Whether a growing answer has just begun to recite: its end stands in the instructions."""
    end = _folded(tail[-4 * _WINDOW :])[-_WINDOW:]
    return len(end) == _WINDOW and end in _secret()


def without_recital(text: str) -> str:
    """The text without its sentences that recite the instructions."""
    if not any(_recites(text[start:end]) for start, end in find_sentence_spans(text)):
        return text
    return " ".join(text[start:end] for start, end in find_sentence_spans(text) if not _recites(text[start:end]))


def _recites(sentence: str) -> bool:
    folded = _folded(sentence)
    return any(folded[at : at + _WINDOW] in _secret() for at in range(0, len(folded) - _WINDOW + 1, _STEP)) or (
        len(folded) >= _WINDOW and folded[-_WINDOW:] in _secret()
    )


@lru_cache(maxsize=1)
def _secret() -> str:
    # The abstention is ours to say.
    return _folded(instructions().replace(ABSTENTION, "\x00"))


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
