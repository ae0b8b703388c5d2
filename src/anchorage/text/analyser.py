"""Turns text into index terms: lower case, Unicode words, stop words out, Snowball stems; codes and versions whole, too.

An analyser is named `<language>/<version>`; the name is part of an index version, so what it does for a name never changes.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache

import Stemmer

from anchorage.errors import ConfigurationError

_VERSIONS = ("1", "2")  # the last one is for new collections; the second has codes and versions as terms of their own
_MAX_TERM_LENGTH = 64  # longer ones are hashes and encoded data; they would bloat the index
# Letters and digits in any script, with inner apostrophes; each CJK character stands for itself.
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_TERM = re.compile(rf"[{_CJK}]|[^\W_{_CJK}]+(?:['’][^\W_{_CJK}]+)*")
_ASCII_TERM = re.compile("[a-z0-9]+(?:'[a-z0-9]+)*")  # the same, for lower-case ASCII: twice as fast
# Parts joined by a sign, which mean something else together than apart: 0.8.0, SKU-4563, hnsw.ef_search, 2024-11-15.
_CODE = re.compile(r"(?<![\w.@/-])[a-z0-9]+(?:[._-]+[a-z0-9]+)+(?![\w@/-])")
_MAX_CACHED_STEMS = 1 << 15  # stems, some 4 MB
# Lucene's English stop words (org.apache.lucene.analysis.en.EnglishAnalyzer), which BM25 baselines use.
_ENGLISH_STOP_WORDS = frozenset(
    "a an and are as at be but by for if in into is it no not of on or such that the their then there these they this to "
    "was will with".split()
)
# Words that ask, and words for those who ask. They do not say what the question is about. "us" is a country too, so it is not here.
_ENGLISH_ASKING_WORDS = frozenset(
    "what who whom whose which when where why how do does did i me my we our you your".split()
)
_OPENING_PUNCTUATION = ".!?:;,\"“‘('-–—"  # after one of these, a capital letter does not mark a name
_WORDS_BEFORE_I = frozenset(
    "do does did can could should would may might must shall will am was have had if that when what where how why which who whom and or as than "
    "because before after once until while so but then".split()
)


class Analyser:
    """Extracts the terms of texts in one language. Build it with `load_analyser`."""

    def __init__(self, language: str, version: str = _VERSIONS[-1]) -> None:
        self._with_codes = version != "1"
        self._stop = _ENGLISH_STOP_WORDS if language == "english" else frozenset()
        self._asking = _ENGLISH_ASKING_WORDS if language == "english" else frozenset()
        self.language = language
        self._stems = _StemCache(self)
        self._stemmer = None if language == "none" else Stemmer.Stemmer(language)

    def extract_terms(self, text: str) -> list[str]:
        """Return the terms of the text in order, with repetitions."""
        folded = _fold(text)
        found = self._stem(self._split_folded(folded))
        return found + _find_codes(folded) if self._with_codes else found

    def extract_question_terms(self, question: str) -> list[str]:
        """Return the terms that a question is about. Words that ask are left out, unless the question has no others."""
        folded = _fold(question)
        found = self._split_folded(folded)
        codes = _find_codes(folded) if self._with_codes else []
        if self._asking.isdisjoint(found):
            return self._stem(found) + codes
        dropped = self._asking - _find_meaningful_asking_words(question)
        return self._stem([word for word in found if word not in dropped] or found) + codes

    def _split_folded(self, folded: str) -> list[str]:
        words = _TERM.findall(folded)
        kept = [word for word in words if word not in self._stop]
        if "'" in folded or "’" in folded:
            kept = [_strip_possessive(word) for word in kept]
        return kept

    def _stem(self, words: list[str]) -> list[str]:
        stems: list[str] = self._stemmer.stemWords(words) if self._stemmer else words
        return [stem[:_MAX_TERM_LENGTH] for stem in stems if stem]

    def stem_words(self, words: list[str]) -> list[str]:
        """Return the stem of each of these lower-case words, stop words included."""
        return list(map(self._stems.__getitem__, words))

    def stem_word(self, word: str) -> str:
        """Return the stem of one lower-case word."""
        bare = word if word.isalnum() else _strip_possessive(word)
        return self._stemmer.stemWord(bare) if self._stemmer else bare

    def count_terms(self, text: str) -> Mapping[str, int]:
        """Count how often each term occurs."""
        return Counter(self.extract_terms(text))


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()


def _find_codes(folded: str) -> list[str]:
    """Find the codes, versions and names of settings in a lower-case text. Words joined by a hyphen are none, nor are IL-6 and 0.05."""
    return [code[:_MAX_TERM_LENGTH] for code in _CODE.findall(folded) if _is_code(code)]


def _is_code(code: str) -> bool:
    if not any(char.isalpha() for char in code):
        return sum(not char.isdigit() for char in code) > 1
    return len(code) > 3 and ("_" in code or "." in code or sum(char.isdigit() for char in code) > 2)


def _find_meaningful_asking_words(question: str) -> set[str]:
    """Find words that look like words of asking and name something here: The Who, WHO, a WHERE clause, type I, I/O.

    Capital letters show it, unless the whole question is in capitals.
    """
    text = unicodedata.normalize("NFKC", question)
    found = find_words(text)
    if not any(word.islower() and word not in _ENGLISH_ASKING_WORDS for word, _, _ in found):
        return set()
    named, before, last = set[str](), "", 0
    for word, start, end in found:
        between = text[last:start].rstrip()
        begins = between[-1] in _OPENING_PUNCTUATION if between else not before
        if word == "I":
            if text[end : end + 1] in ("/", "-") or not (begins or before in _WORDS_BEFORE_I):
                named.add("i")
        elif word[0].isupper() and (not begins or (len(word) > 1 and word.isupper())):
            named.add(word.lower())
        before, last = word.lower(), end
    return named


class _StemCache(dict[str, str]):
    """Caches the stems of recent words. A lookup costs a fifth of stemming."""

    def __init__(self, analyser: Analyser) -> None:
        self._analyser = analyser

    def __missing__(self, word: str) -> str:
        if len(self) >= _MAX_CACHED_STEMS:
            self.clear()
        self[word] = stem = self._analyser.stem_word(word)
        return stem


def find_words(text: str) -> list[tuple[str, int, int]]:
    """Return the words of a text as they are written, each with its span."""
    return [(match[0], *match.span()) for match in _TERM.finditer(text)]


def find_lowercase_words(text: str) -> list[str]:
    """Return the same words in lower case, without spans."""
    if text.isascii():
        return _ASCII_TERM.findall(text.lower())
    return [word.lower() for word in _TERM.findall(text)]  # lowering a letter may give two characters


def _strip_possessive(word: str) -> str:
    return word[:-2] if word.endswith(("'s", "’s")) else word.replace("’", "'")


def format_analyser_name(language: str) -> str:
    """Return the name of the current analyser of a language. Raises `ConfigurationError` for an unknown one."""
    if language != "none" and language not in Stemmer.algorithms():
        raise ConfigurationError(
            f"No analyser for the language {language!r}: set ANCHORAGE_RETRIEVAL__LANGUAGE to `none` or to one of "
            f"{', '.join(sorted(Stemmer.algorithms()))}."
        )
    return f"{language}/{_VERSIONS[-1]}"


@lru_cache(maxsize=32)
def load_analyser(name: str) -> Analyser:
    """Return the analyser of an index version. Raises `ConfigurationError` if this release does not have it."""
    language, _, version = name.partition("/")
    if version not in _VERSIONS or (language != "none" and language not in Stemmer.algorithms()):
        raise ConfigurationError(
            f"This release has no analyser {name!r}, which the index was made with: ingest the collection anew."
        )
    return Analyser(language, version)
