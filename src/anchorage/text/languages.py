"""What must be known of a language to read a sentence by its words, one table a language, and how a text's language is told.

A table (`tables/*.toml`) holds what matters when two sentences are compared, not a grammar. It is read when a text in its
language is. A language without one is read by the English table, with the negators of all.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
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
    """The commonest words of grammar: they tell a language from others."""
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
    """What stands before a number that bounds it from below, a pattern; `most`: from above."""
    most: str = ""
    must: Words = frozenset()
    may: Words = frozenset()
    """Words that allow and do not oblige."""
    can: Words = frozenset()
    """Words that allow where they stand against an obligation, and else say what is possible."""
    degrees: tuple[Words, ...] = ()
    """Quantifiers: few, some, many, most, all."""
    pivots: Words = frozenset()
    """Words on whose two sides different things stand: `than`, `before`."""
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
    """Endings by which verbs are told."""
    openers: Words = frozenset()
    """Words at the start of a sentence whose subject is that of the sentence before."""
    said: float = 0.5
    """The share of the words of a claim, names and numbers aside, that its support must hold."""
    capitalises_nouns: bool = False
    """Capital letters do not tell names from other nouns."""
    characters: bool = False
    """No spaces between words: each character stands for itself."""

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


_SPACED = ("english", "german", "french", "spanish", "italian", "portuguese", "dutch")
KNOWN = (*_SPACED, "russian", "vietnamese", "chinese", "japanese")
"""Languages with a table."""
_SAMPLE = 240  # characters of a text that tell its language
_ENOUGH = 16  # words of which a few should be common ones, in a language that is known
_SHARE = 0.12
_PLAIN = 0.25  # so many of the words are English ones in no other language
_AHEAD = 2  # common words that another language than the expected one must have more
_WORD = re.compile(r"[^\W\d_]+")
_KANA, _HAN = re.compile("[\u3040-\u30ff]"), re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")
_CYRILLIC = re.compile("[\u0400-\u04ff]")
_VIETNAMESE = re.compile("[ơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]")


@lru_cache(maxsize=32)
def language_named(name: str) -> Language:
    """The table of a language, or the general one."""
    if name not in KNOWN:
        everyone = [language_named(known) for known in KNOWN if not language_named(known).characters]
        negators = frozenset().union(*(item.negators for item in everyone)) - {"n"}
        return replace(language_named("english"), name="none", negators=negators)
    table = tomllib.loads((files(__package__) / "tables" / f"{name}.toml").read_text("utf-8"))
    return Language(name, **{key: _read(key, value) for key, value in table.items()})


def _read(key: str, value: Any) -> Any:
    kinds = {item.name: item.type for item in fields(Language)}
    if kinds[key] == "Words":
        return frozenset(value.split())
    if key == "degrees":
        return tuple(frozenset(words.split()) for words in value)
    return tuple(value) if isinstance(value, list) else value


@lru_cache(maxsize=1)
def _common() -> Mapping[str, tuple[int, ...]]:
    """The common words of the languages that share a script, each with the places of its languages."""
    found: dict[str, tuple[int, ...]] = {}
    for place, name in enumerate(_SPACED):
        for word in language_named(name).common:
            found[word] = (*found.get(word, ()), place)
    return found


def language_of(text: str, expected: Language) -> Language:
    """The language of a text by its script and its commonest words; the expected one where they do not tell."""
    sample = text[:_SAMPLE].lower()
    if not sample.isascii() and (name := _by_script(sample)):
        return language_named(name)
    found = _WORD.findall(sample)
    if expected.name == "english" and sum(map(expected.common.__contains__, found)) > _PLAIN * len(found):
        return expected
    common = _common()
    counts = [0] * len(_SPACED)
    for word in found:
        for place in common.get(word, ()):
            counts[place] += 1
    best = max(counts)
    mine = counts[_SPACED.index(expected.name)] if expected.name in _SPACED else 0
    if len(found) >= _ENOUGH and best < _SHARE * len(found):
        return expected if expected.name not in KNOWN else language_named("none")
    return language_named(_SPACED[counts.index(best)]) if best >= mine + _AHEAD else expected


def _by_script(sample: str) -> str | None:
    kana, han = len(_KANA.findall(sample)), len(_HAN.findall(sample))
    if 4 * (kana + han) > len(sample):
        return "japanese" if 10 * kana > han else "chinese"
    if 4 * len(_CYRILLIC.findall(sample)) > len(sample):
        return "russian"
    marked = len(_VIETNAMESE.findall(sample))
    if not marked:
        return None
    found = _WORD.findall(sample)  # a name alone does not make a text Vietnamese
    hits = sum(word in language_named("vietnamese").common for word in found)
    return "vietnamese" if hits >= _SHARE * len(found) or 16 * marked > len(sample) else None
