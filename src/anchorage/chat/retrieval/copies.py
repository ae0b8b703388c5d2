"""copies: passages that say the same in nearly the same words take the place of others; only the best of them is read."""

from __future__ import annotations

import re
from collections.abc import Sequence

from anchorage.model import Hit

_WORDS = re.compile(r"\w+")
_SHINGLE = 5  # words
_ALIKE = 0.9  # of the shingles of both
_MOST_CHARS = 8000  # of a passage


def drop_copies(hits: Sequence[Hit]) -> list[Hit]:
    """Return the hits without those that repeat a better one: the same numbers, and nine of ten runs of five words in common (Broder, 1997,
    "On the resemblance and containment of documents").
    """
    kept: list[tuple[frozenset[str], frozenset[tuple[str, ...]]]] = []
    found: list[Hit] = []
    for hit in hits:
        words = _WORDS.findall(hit.text[:_MOST_CHARS].lower())
        numbers = frozenset(word for word in words if any(map(str.isdigit, word)))
        shingles = frozenset(tuple(words[at : at + _SHINGLE]) for at in range(max(1, len(words) - _SHINGLE + 1)))
        if not any(numbers == known and _resemble(shingles, other) for known, other in kept):
            kept.append((numbers, shingles))
            found.append(hit)
    return found


def _resemble(one: frozenset[tuple[str, ...]], other: frozenset[tuple[str, ...]]) -> bool:
    small, large = sorted((len(one), len(other)))
    return small >= _ALIKE * large and len(one & other) >= _ALIKE * len(one | other)
