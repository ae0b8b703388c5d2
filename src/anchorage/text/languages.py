"""One table a language, with the words that matter when sentences are compared, and the detection of a text's language.

A table (`tables/*.toml`) is not a grammar. It is loaded when the first text in its language is read. A language without a table
uses the English one with the negators of all languages.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Any

Words = frozenset[str]


@dataclass(frozen=True, eq=False)
class Language:
    """`name` is that of its stemmer, if it has one. Words are in lower case."""

    name: str
    common: Words
    """The commonest words of grammar. They show which language a text is in."""
    negators: Words
    light: Words = frozenset()
    """More words of grammar."""
    joints: Words = frozenset()
    """Words that join clauses."""
    anaphors: Words = frozenset()
    opposites: str = ""
    """Pairs of words of which one denies the other: `one other, one other`."""
    rising: Words = frozenset()
    falling: Words = frozenset()
    least: str = ""
    """A pattern for the words before a number that make it a lower bound; `most` is the same for an upper bound."""
    most: str = ""
    must: Words = frozenset()
    may: Words = frozenset()
    """Words that allow and do not oblige."""
    can: Words = frozenset()
    """Words that allow something when compared with an obligation, and otherwise say what is possible."""
    degrees: tuple[Words, ...] = ()
    """Quantifiers: few, some, many, most, all."""
    pivots: Words = frozenset()
    """Words that compare what is before them with what is after them: `than`, `before`."""
    units: str = ""
    """Number words from zero, `_` for those that mean other things too; `tens` from twenty."""
    tens: str = ""
    compound: str = ""
    """How a unit and a ten are put together: `{unit}und{ten}`."""
    spellings: Mapping[str, float] = field(default_factory=dict)
    """Further number words."""
    scales: Mapping[str, float] = field(default_factory=dict)
    months: str = ""
    verbs: tuple[str, ...] = ()
    """Endings that mark verbs."""
    openers: Words = frozenset()
    """Words at the start of a sentence whose subject is that of the sentence before."""
    said: float = 0.5
    """The share of the words of a claim, names and numbers aside, that its support must hold."""
    capitalises_nouns: bool = False
    """Whether all nouns have capital letters, so that capitals do not mark names."""
    characters: bool = False
    """Whether the script has no spaces between words, so that each character is a term."""

    @cached_property
    def grammar(self) -> Words:
        """All words that carry no content of their own."""
        return self.common.union(self.light, self.negators, self.anaphors, self.joints, self.can, *self.degrees)

    @cached_property
    def moods(self) -> Words:
        """The words that oblige or allow."""
        return self.must | self.may | self.can

    @cached_property
    def ranks(self) -> Mapping[str, int]:
        """Quantifiers with their place from few to all."""
        return {word: rank for rank, words in enumerate(self.degrees) for word in words}


_LATIN_SCRIPT = ("english", "german", "french", "spanish", "italian", "portuguese", "dutch")
KNOWN = (*_LATIN_SCRIPT, "russian", "vietnamese", "chinese", "japanese")
"""Languages with a table."""
_SAMPLE_LENGTH = 240  # characters of a text that tell its language
_ENOUGH_WORDS = 16  # words of which a few should be common ones, in a language that is known
_COMMON_SHARE = 0.12
_ENGLISH_SHARE = 0.25  # of the words; no other language has so many English ones
_LEAD = 2  # common words that another language must have more than the expected one
_WORD = re.compile(r"[^\W\d_]+")
_KANA, _HAN = re.compile("[\u3040-\u30ff]"), re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")
_CYRILLIC = re.compile("[\u0400-\u04ff]")
_VIETNAMESE = re.compile("[ơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]")


@lru_cache(maxsize=32)
def load_language(name: str) -> Language:
    """Return the table of a language, or the general table."""
    if name not in KNOWN:
        everyone = [load_language(known) for known in KNOWN if not load_language(known).characters]
        negators = frozenset().union(*(item.negators for item in everyone)) - {"n"}
        return replace(load_language("english"), name="none", negators=negators)
    table = tomllib.loads((files(__package__) / "tables" / f"{name}.toml").read_text("utf-8"))
    return Language(name, **{key: _parse_value(key, value) for key, value in table.items()})


def _parse_value(key: str, value: Any) -> Any:
    kinds = {item.name: item.type for item in fields(Language)}
    if kinds[key] == "Words":
        return frozenset(value.split())
    if key == "degrees":
        return tuple(frozenset(words.split()) for words in value)
    return tuple(value) if isinstance(value, list) else value


@lru_cache(maxsize=1)
def _index_common_words() -> Mapping[str, tuple[int, ...]]:
    """Map each common word of the languages in Latin script to the positions of its languages."""
    found: dict[str, tuple[int, ...]] = {}
    for place, name in enumerate(_LATIN_SCRIPT):
        for word in load_language(name).common:
            found[word] = (*found.get(word, ()), place)
    return found


def detect_language(text: str, expected: Language) -> Language:
    """Return the language of a text by its script and its commonest words; the expected language where they do not show it."""
    sample = text[:_SAMPLE_LENGTH].lower()
    if not sample.isascii() and (name := _detect_by_script(sample)):
        return load_language(name)
    found = _WORD.findall(sample)
    if expected.name == "english" and sum(map(expected.common.__contains__, found)) > _ENGLISH_SHARE * len(found):
        return expected
    counts = _count_common(found)
    best = max(counts)
    mine = counts[_LATIN_SCRIPT.index(expected.name)] if expected.name in _LATIN_SCRIPT else 0
    if len(found) >= _ENOUGH_WORDS and best < _COMMON_SHARE * len(found):
        return expected if expected.name not in KNOWN else load_language("none")
    return load_language(_LATIN_SCRIPT[counts.index(best)]) if best >= mine + _LEAD else expected


def count_common_words(text: str) -> dict[str, int]:
    """How many of a text's words are common in each language of the Latin script."""
    return dict(zip(_LATIN_SCRIPT, _count_common(_WORD.findall(text[:_SAMPLE_LENGTH].lower())), strict=True))


def _count_common(words: Sequence[str]) -> list[int]:
    common = _index_common_words()
    counts = [0] * len(_LATIN_SCRIPT)
    for word in words:
        for place in common.get(word, ()):
            counts[place] += 1
    return counts


def _detect_by_script(sample: str) -> str | None:
    kana, han = len(_KANA.findall(sample)), len(_HAN.findall(sample))
    if 4 * (kana + han) > len(sample):
        return "japanese" if 10 * kana > han else "chinese"
    if 4 * len(_CYRILLIC.findall(sample)) > len(sample):
        return "russian"
    marked = len(_VIETNAMESE.findall(sample))
    if not marked:
        return None
    found = _WORD.findall(sample)  # a name alone does not make a text Vietnamese
    hits = sum(word in load_language("vietnamese").common for word in found)
    return "vietnamese" if hits >= _COMMON_SHARE * len(found) or 16 * marked > len(sample) else None
