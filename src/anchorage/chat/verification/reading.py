"""Reads what a sentence says, as far as its words show it: weighted terms, numbers, names, negations. No model is used."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

from anchorage.text.analyser import Analyser, find_lowercase_words, find_words
from anchorage.text.hidden import strip_hidden_characters
from anchorage.text.languages import Language
from anchorage.text.numbers import MONTHS, Number, find_months, find_number_values, find_numbers

_PIECE = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[,;:.!?()—–]")
_CLAUSE_PUNCTUATION = re.compile(r"[,;:—–()，、；：]")
_DOTTED = re.compile(r"\b(?:[A-Za-z]\.){2,}")
_SCOPE = 4  # terms after a negator that it may negate
# These deny nothing: "no more than", "not only".
_NO_DENIAL = re.compile(
    r"\b(?:(?:no|not) (?:more|less|fewer|later|earlier) than|nicht (?:mehr|weniger) als|no (?:más|menos) de|non (?:più|meno) di|"
    r"não (?:mais|menos) de|niet (?:meer|minder) dan|не (?:более|менее|больше|меньше)|không (?:quá|dưới|hơn)|"
    r"(?:not only|nicht nur|non seulement|no s[oó]lo|non solo|não (?:só|apenas)|niet alleen|не только|không chỉ)"
    r"(?=.*\b(?:but|sondern|mais|sino|ma|mas|maar|но|mà)\b))\b",
    re.IGNORECASE,
)
_KANA = re.compile("[\u3040-\u309f]+")
_NAME_WEIGHT, _NUMBER_WEIGHT, _WORD_WEIGHT, _LIGHT_WEIGHT = 1.5, 2.0, 1.0, 0.1
_SHORT = 3
_YEAR_DIGITS, _YEARS = 4, range(1000, 2101)
_TITLE_CASE = 0.99


@dataclass(frozen=True, slots=True)
class Piece:
    """A word of a sentence with its term and weight, or a separator of clauses (without a term)."""

    word: str
    term: str
    weight: float
    start: int
    end: int
    name: bool


class Reading:
    """A sentence that was read. Everything but its words is computed at first use."""

    def __init__(self, text: str, analyser: Analyser, language: Language) -> None:
        self.text = _strip_acronym_dots(strip_hidden_characters(text))
        self.language = language
        self._analyser = analyser
        # The spans of words are computed later: few sentences need them.
        self.lowered = find_lowercase_words(self.text)
        self.stems = analyser.stem_words(self.lowered)
        self.terms = frozenset(self.stems)

    @cached_property
    def _words(self) -> list[tuple[str, int, int]]:
        return find_words(self.text)

    @cached_property
    def weights(self) -> Mapping[str, float]:
        """The weight of each term: numbers and names weigh more than words, words of grammar almost nothing."""
        found: dict[str, float] = {}
        named = {word for group in self.names for word in group}
        for (word, _, _), low, stem in zip(self._words, self.lowered, self.stems, strict=True):
            if word[0].isdigit():
                weight = _NUMBER_WEIGHT
            elif low in named:
                weight = _NAME_WEIGHT
            else:
                weight = _LIGHT_WEIGHT if is_light(low, self.language) else _WORD_WEIGHT
            found[stem] = max(weight, found.get(stem, 0.0))
        return found

    @cached_property
    def content(self) -> frozenset[str]:
        """The terms that carry content."""
        return frozenset(stem for stem, weight in self.weights.items() if weight >= _WORD_WEIGHT)

    @cached_property
    def numbers(self) -> list[Number]:
        return find_numbers(self.text, self.language)

    @cached_property
    def values(self) -> set[float]:
        return find_number_values(self.text, self.language)

    @cached_property
    def months(self) -> set[float]:
        return find_months(self.text, self.language) if self.numbers else set()

    @cached_property
    def names(self) -> list[tuple[str, ...]]:
        """Runs of capitalised words, in lower case; none where capitals mean something else (titles, German nouns)."""
        capital = [word[0].isupper() for word, _, _ in self._words]
        counted = [is_capital for is_capital, low in zip(capital, self.lowered, strict=True) if len(low) > _SHORT]
        if self.language.capitalises_nouns or (len(counted) >= 5 and sum(counted) > _TITLE_CASE * len(counted)):
            return []
        groups: list[tuple[str, ...]] = []
        run: list[str] = []
        last = -1
        for place, (is_capital, low) in enumerate(zip(capital, self.lowered, strict=True)):
            acronym = len(low) > 1 and self._words[place][0].isupper()
            # The first word is capitalised anyway; it is part of a name when the next word is.
            first_alone = place == 0 and not (len(capital) > 1 and capital[1] and self._adjoins_next(0))
            if acronym or (is_capital and low not in self.language.grammar and not first_alone):
                if run and (last != place - 1 or not self._adjoins_next(last)):
                    groups.append(tuple(run))
                    run = []
                run.append(low.removesuffix("'s").removesuffix("’s"))
                last = place
        return [*groups, tuple(run)] if run else groups

    @property
    def opening(self) -> str | None:
        """The first word, in lower case, if it could be a name that stands alone."""
        if not self._words or self.language.capitalises_nouns:
            return None
        word = self._words[0][0]
        return self.lowered[0] if word[0].isupper() and not is_light(self.lowered[0], self.language) else None

    @cached_property
    def plain(self) -> frozenset[str]:
        """The words as they are written, in lower case."""
        return frozenset(low.removesuffix("'s").removesuffix("’s") for low in self.lowered)

    def _adjoins_next(self, place: int) -> bool:
        """Whether nothing but a space, a hyphen or an initial's full stop lies between this word and the next."""
        return self.text[self._words[place][2] : self._words[place + 1][1]] in (" ", "-", ". ", "\n")

    @cached_property
    def negations(self) -> int:
        if self.language.characters:
            return sum(self.text.count(word) for word in self.language.negators)
        found = sum(self._is_negator(low) for low in self.lowered)
        return found - len(_NO_DENIAL.findall(self.text)) if found else 0

    def _is_negator(self, low: str) -> bool:
        return low in self.language.negators or low.endswith(("n't", "n’t"))

    @cached_property
    def denied(self) -> tuple[frozenset[str], frozenset[str]]:
        """The terms that a negation denies directly, without those that are also affirmed; and the terms that it may deny."""
        if not self.negations or self.language.characters:
            return frozenset(), frozenset()
        strict: set[str] = set()
        wide: set[str] = set()
        affirmed: set[str] = set()
        clause: list[str] = []
        marks: list[int] = []
        for piece in [*_PIECE.findall(_NO_DENIAL.sub(" ", self.text)), "."]:
            low = piece.lower()
            if not piece[0].isalnum() or low in self.language.joints:
                near, reach = _find_negated_terms(clause, marks)
                strict |= near
                wide |= reach
                affirmed.update(term for term in clause if term not in reach)
                clause, marks = [], []
            elif self._is_negator(low):
                marks.append(len(clause))
            elif not is_light(low, self.language):
                clause.append(self._analyser.stem_words([low])[0])
        return frozenset(strict - affirmed), frozenset(wide)

    @cached_property
    def points_back(self) -> bool:
        """Whether the sentence has a pronoun that points back."""
        return not self.language.anaphors.isdisjoint(self.lowered)

    @cached_property
    def opens_by_pointing_back(self) -> bool:
        return not self.language.anaphors.isdisjoint(self.lowered[:3]) or not self.language.openers.isdisjoint(
            self.lowered[:1]
        )

    @cached_property
    def moods(self) -> frozenset[str]:
        """The words that oblige or allow. The month of May is not one."""
        found = self.plain & self.language.moods
        if "may" in found and self.language.name == "english" and not any(word == "may" for word, _, _ in self._words):
            return found - {"may"}
        return found

    @cached_property
    def pieces(self) -> list[Piece]:
        """Its words in order, with the punctuation that separates clauses."""
        found: list[Piece] = []
        named = {word for group in self.names for word in group} | {self.opening}
        nouns = self.language.capitalises_nouns
        weights = self.weights
        end = 0
        for (word, start, stop), low, stem in zip(self._words, self.lowered, self.stems, strict=True):
            mark = _CLAUSE_PUNCTUATION.search(self.text, end, start)
            if mark or low in self.language.joints:
                found.append(Piece(mark.group() if mark else low, "", 0.0, start, start, False))
            if low not in self.language.joints:
                found.append(
                    Piece(low, stem, weights[stem], start, stop, low in named or (nouns and word[0].isupper()))
                )
            end = stop
        return found

    @property
    def opposites(self) -> Mapping[str, frozenset[str]]:
        """Pairs of opposite terms in its language, in both directions."""
        return _load_opposites(self._analyser, self.language)

    def is_year(self, number: Number) -> bool:
        """Whether one of its numbers looks like a year."""
        text = self.text[number.start : number.end]
        return len(text) == _YEAR_DIGITS and text.isdigit() and int(text) in _YEARS

    @cached_property
    def plain_terms(self) -> Mapping[str, str]:
        """The terms that say something about the names and numbers, each with its word: verbs, adjectives, common nouns.

        In languages that capitalise nouns, nouns are left out. A word right after a number is its unit and is left out.
        """
        found: dict[str, str] = {}
        last = -1
        counted = {item.end for item in self.numbers if not self.is_year(item)}
        spelled = [(item.start, item.end) for item in self.numbers]
        dates = _load_month_names(self.language)
        for (word, start, stop), low, stem in zip(self._words, self.lowered, self.stems, strict=True):
            unit = last in counted
            last = stop
            if self.weights[stem] != _WORD_WEIGHT or unit or low in dates or word[0].isdigit():
                continue
            if any(begin <= start < end for begin, end in spelled):
                continue
            if self.language.capitalises_nouns and word[0].isupper():
                continue
            found[stem] = low
        return found


def read_terms(text: str, analyser: Analyser) -> frozenset[str]:
    """Return the terms of a text, as a `Reading` of it has them."""
    return frozenset(analyser.stem_words(find_lowercase_words(_strip_acronym_dots(strip_hidden_characters(text)))))


def read_vocabulary(text: str, analyser: Analyser) -> frozenset[str]:
    """Return all terms that readings of the sentences may have. `U.S.` counts as two words and as one."""
    text = strip_hidden_characters(text)
    found = frozenset(analyser.stem_words(find_lowercase_words(text)))
    other = _strip_acronym_dots(text)
    return found if other == text else found.union(analyser.stem_words(find_lowercase_words(other)))


def _strip_acronym_dots(text: str) -> str:
    return _DOTTED.sub(lambda match: match.group().replace(".", ""), text) if text.count(".") > 1 else text


def is_light(word: str, language: Language) -> bool:
    """Whether a lower-case word is a word of grammar. Short words of any language count as one."""
    if word in language.grammar or (len(word) < _SHORT and word.isascii() and not word[0].isdigit()):
        return True
    return language.characters and _KANA.fullmatch(word) is not None


def _find_negated_terms(clause: list[str], marks: list[int]) -> tuple[set[str], set[str]]:
    """Return the terms next to the negators, and those in their scope: after them, or before them if nothing follows."""
    near: set[str] = set()
    reach: set[str] = set()
    for mark in marks:
        scope = clause[mark : mark + _SCOPE] or clause[max(mark - 2, 0) : mark][::-1]
        near.update(scope[:1])
        reach.update(scope)
    return near, reach


@lru_cache(maxsize=32)
def _load_month_names(language: Language) -> frozenset[str]:
    return frozenset(language.months.split()) or MONTHS


@lru_cache(maxsize=32)
def _load_opposites(analyser: Analyser, language: Language) -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for pair in language.opposites.split(",") if language.opposites else ():
        one, other = analyser.stem_words(pair.split())
        if one != other:
            found.setdefault(one, set()).add(other)
            found.setdefault(other, set()).add(one)
    return {term: frozenset(others) for term, others in found.items()}
