"""Sentences in scripts without spaces, where each character stands for itself and a single one may change all: 北京, 南京."""

from __future__ import annotations

import re
from collections.abc import Sequence

from anchorage.chat.verification.reading import Reading

_CLAUSE = re.compile("[，、；,;。：:]")
_SAME = 0.7  # the share of a clause's characters that another holds which speaks of the same
_STRANGE = 0.12  # the share of a claim's characters that may be in no sentence of its support


def says_otherwise(mine: Reading, main: Reading, held: frozenset[str]) -> bool:
    """Whether the claim puts another character in the place of one of the sentence, or denies what it says."""
    return _replaced(mine, main, held) or _denied(mine, main)


def strange(mine: Reading, held: frozenset[str]) -> bool:
    """Whether more of the claim's characters than a slip are in none of these."""
    content = mine.content
    missing = content - held
    return len(missing) > _STRANGE * len(content)


def _replaced(mine: Reading, main: Reading, held: frozenset[str]) -> bool:
    """Whether one character is another between the same neighbours."""
    ours, theirs = ["", *mine.stems, ""], ["", *main.stems, ""]
    content, theirs_content = mine.content, main.content
    for place in range(1, len(ours) - 1):
        if ours[place] in held or ours[place] not in content:
            continue
        around = (ours[place - 1], ours[place + 1])
        for other in range(1, len(theirs) - 1):
            if (theirs[other - 1], theirs[other + 1]) == around and theirs[other] in theirs_content - mine.terms:
                return True
    return False


def _denied(mine: Reading, main: Reading) -> bool:
    """Whether a clause of the claim has a negation that the sentence's clause on the same has not, or the reverse."""
    if not mine.negations and not main.negations:
        return False
    theirs = [(_characters(clause), _negations(clause, main)) for clause in _clauses(main.text)]
    for clause in _clauses(mine.text):
        characters = _characters(clause)
        if not characters:
            continue
        near = max(theirs, key=lambda item: len(item[0] & characters), default=None)
        same = near is not None and len(near[0] & characters) >= _SAME * min(len(characters), len(near[0]))
        if near is not None and same and near[1] % 2 != _negations(clause, mine) % 2:
            return True
    return False


def _clauses(text: str) -> Sequence[str]:
    return [clause for clause in _CLAUSE.split(text) if clause.strip()]


def _negations(clause: str, reading: Reading) -> int:
    return sum(clause.count(word) for word in reading.language.negators)


def _characters(clause: str) -> frozenset[str]:
    return frozenset(char for char in clause if char.isalnum())
