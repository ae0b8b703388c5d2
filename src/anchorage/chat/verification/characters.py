"""Compares sentences in scripts without spaces. Each character is a term, and one character may change everything: 北京, 南京."""

from __future__ import annotations

import re
from collections.abc import Sequence

from anchorage.chat.verification.reading import Reading

_CLAUSE = re.compile("[，、；,;。：:]")
_SAME_CLAUSE_SHARE = 0.7  # the share of characters that two clauses on the same subject have in common
_MAX_STRANGE_SHARE = 0.12  # the share of a claim's characters that its support may lack


def says_otherwise(mine: Reading, main: Reading, held: frozenset[str]) -> bool:
    """Whether the claim replaces a character of the sentence, or denies what it says."""
    return _replaces_character(mine, main, held) or _denies_clause(mine, main)


def has_strange_characters(mine: Reading, held: frozenset[str]) -> bool:
    """Whether so many characters of the claim are missing here that it is no slip."""
    content = mine.content
    missing = content - held
    return len(missing) > _MAX_STRANGE_SHARE * len(content)


def _replaces_character(mine: Reading, main: Reading, held: frozenset[str]) -> bool:
    """Whether the claim has another character between the same two neighbours."""
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


def _denies_clause(mine: Reading, main: Reading) -> bool:
    """Whether a clause of the claim is negated and the sentence's clause on the same subject is not, or the reverse."""
    if not mine.negations and not main.negations:
        return False
    theirs = [(_collect_characters(clause), _count_negations(clause, main)) for clause in _split_clauses(main.text)]
    for clause in _split_clauses(mine.text):
        characters = _collect_characters(clause)
        if not characters:
            continue
        near = max(theirs, key=lambda item: len(item[0] & characters), default=None)
        same = near is not None and len(near[0] & characters) >= _SAME_CLAUSE_SHARE * min(len(characters), len(near[0]))
        if near is not None and same and near[1] % 2 != _count_negations(clause, mine) % 2:
            return True
    return False


def _split_clauses(text: str) -> Sequence[str]:
    return [clause for clause in _CLAUSE.split(text) if clause.strip()]


def _count_negations(clause: str, reading: Reading) -> int:
    return sum(clause.count(word) for word in reading.language.negators)


def _collect_characters(clause: str) -> frozenset[str]:
    return frozenset(char for char in clause if char.isalnum())
