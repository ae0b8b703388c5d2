"""Texts that strangers chose, made fit for a database, a terminal and a file's name."""

from __future__ import annotations

import re

# Control characters, half surrogate pairs, and marks that turn the direction of writing and so hide a name's end.
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]+")
_NAME_LENGTH = 100
_TEXT_LENGTH = 1_000


def fit_text(text: str) -> str:
    """A text on one line, of at most 1,000 characters; empty where nothing is left."""
    return " ".join(_UNFIT.sub(" ", text).split())[:_TEXT_LENGTH]


def fit_name(text: str) -> str:
    """A file's name of at most 100 characters, without a path; empty where nothing is left."""
    return fit_text(text.replace("/", " ").replace("\\", " "))[:_NAME_LENGTH].strip()
