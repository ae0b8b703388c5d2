"""Finds the span of a passage that supports a claim, by words: a lexical stand-in for an entailment model.

A claim's terms are weighted (numbers and names more than words) and looked up in each sentence of the passage; what the
title, the headings and the rest of the passage hold counts half. Whatever the overlap, a sentence that gives another
number or another name, or denies what the claim says, does not support it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from anchorage.chat.verification import characters
from anchorage.chat.verification.bindings import rebound
from anchorage.chat.verification.passage import Passage
from anchorage.chat.verification.reading import Reading
from anchorage.chat.verification.sense import opposed, same_trend
from anchorage.text.analyser import Analyser, find_words
from anchorage.text.languages import Language
from anchorage.text.numbers import Number

SUPPORTED = 0.65
"""The share of a claim's weight that its support must hold."""
_CONTEXT, _NAMED = 4, 2  # a word, and a name, that stand elsewhere in the passage, count a fourth and a half
_ASKED = 0.5  # what a term counts that the question brought up: the answer lies in the others
_NEW = 0.6  # the share of the terms that the question did not bring up
_GAIN = 0.15  # what a neighbouring sentence must add to be part of the span
_NEAR = 0.2  # the share below which a sentence is not looked at
_ALIKE = 0.85  # the share of a sentence that a claim holds when it is the same sentence
_AGAINST = 0.1  # what a sentence that says otherwise must hold more than one that does not
_TRIED = 3  # sentences of a passage that are looked at closely
_FUZZ = 1e-9
_UNIT = 80  # weights are whole 80ths: their sums are the same in any order, and those of sets have none
_WHOLE = 3  # a claim of fewer content terms must be found whole, where the question's terms are
_TERSE = 3  # a claim of so few plain words, of which no verb is held, says something else
_ROOT = 4  # letters by which two words may be forms of one
_ROOT_SHARE = 0.55


@dataclass(frozen=True, slots=True)
class Support:
    """`hit.text[start:end]` holds `score` of a claim's weight. `conflict`: but it says otherwise."""

    passage: int
    start: int
    end: int
    score: float
    conflict: bool = False
    bare: bool = False
    """Whether it holds the claim's names and numbers, and not what the claim says of them."""

    @property
    def good(self) -> bool:
        return not self.conflict and self.score >= SUPPORTED

    @property
    def contradicts(self) -> bool:
        """Whether it speaks of the same, and says otherwise."""
        return self.conflict and self.score >= SUPPORTED


class Claim:
    """A piece of an answer with what is needed to hold it against passages."""

    def __init__(self, text: str, question: Callable[[], Reading], analyser: Analyser, language: Language) -> None:
        self.text = text
        self.analyser = analyser
        self.language = language
        self._question = question

    @cached_property
    def reading(self) -> Reading:
        return Reading(self.text, self.analyser, self.language)

    @cached_property
    def weights(self) -> dict[str, int]:
        """What each term counts, in 80ths."""
        asked = self._question().terms
        return {
            term: round(_UNIT * weight * (_ASKED if term in asked else 1))
            for term, weight in self.reading.weights.items()
        }

    @cached_property
    def terms(self) -> frozenset[str]:
        return self.reading.terms

    @cached_property
    def total(self) -> int:
        return sum(self.weights.values())

    @cached_property
    def new(self) -> frozenset[str]:
        """The terms that the question did not bring up."""
        return self.reading.content - self._question().terms

    @cached_property
    def asked(self) -> frozenset[str]:
        """The terms of the question that the claim leaves out."""
        return self._question().content - self.reading.terms

    @cached_property
    def short(self) -> bool:
        return len(self.reading.content) < _WHOLE

    @cached_property
    def number_terms(self) -> frozenset[str]:
        """The terms that its numbers are written with."""
        text = self.reading.text
        spelled = [
            word.lower() for item in self.reading.numbers for word, _, _ in find_words(text[item.start : item.end])
        ]
        return frozenset(self.analyser.stem_words(spelled))

    @cached_property
    def _number_share(self) -> float:
        """What its numbers, however they are written, hold of it."""
        return self._share(self.number_terms)

    @cached_property
    def _strict(self) -> list[Number]:
        """The numbers that its support must have."""
        return [number for number in self.reading.numbers if not number.loose]

    @property
    def says_something(self) -> bool:
        return bool(self.reading.content)

    def supports(self, number: int, passage: Passage) -> Support | None:
        """The best support in a passage that is good, if there is one. Its text is read only if its words may hold one."""
        if not self._may_stand(passage, SUPPORTED) or not self._has_numbers(passage):
            return None
        support = self._best(number, passage, close=False)
        return support if support and support.good else None

    def contradicted(self, passage: Passage) -> bool:
        """Whether a passage that does not support the claim says otherwise."""
        support = self._best(0, passage, close=False) if self._may_stand(passage, SUPPORTED) else None
        return support is not None and support.contradicts

    def nearest(self, number: int, passage: Passage) -> Support | None:
        """The best support in a passage, good or not."""
        return self._best(number, passage, close=True) if self._may_stand(passage, _NEAR) else None

    def _may_stand(self, passage: Passage, least: float) -> bool:
        """Whether the words of a passage, wherever they stand, hold this share of the claim."""
        most = self._share(passage.vocabulary)
        if most < least and most + self._number_share < least:
            return False
        return not self.short or least < SUPPORTED or self.reading.content <= passage.vocabulary

    def _has_numbers(self, passage: Passage) -> bool:
        return all(number.is_among(passage.values) for number in self._strict)

    def _best(self, number: int, passage: Passage, *, close: bool) -> Support | None:
        found = self._shares(passage)
        places = [place for place, share in enumerate(found) if share >= _NEAR]
        places.sort(key=lambda place: (-found[place], self._off_topic(passage, place), place))
        best: Support | None = None
        worst: Support | None = None
        whole = 0.0 if close else self._share(passage.terms) + self._number_share
        for place in places[:_TRIED]:
            if not (close or self.short) and self._most(found, place, whole) < SUPPORTED:
                continue
            support = self._support(number, passage, place, close)
            if support is None:
                continue
            if best is None or (support.good, support.score) > (best.good, best.score):
                best = support
            if support.contradicts and (worst is None or support.score > worst.score):
                worst = support
            if found[place] >= 0.999 and support.good:
                break
        # What speaks of the same more closely, and says otherwise, outweighs what speaks for it.
        return worst if worst and best and best.good and worst.score > best.score + _AGAINST else best

    def _most(self, found: Sequence[float], place: int, whole: float) -> float:
        """What a sentence may score at most: all that its neighbours hold, and half of what stands elsewhere in the passage."""
        here = sum(found[max(place - 1, 0) : place + 2]) + self._number_share
        return (min(here, whole) + whole) / 2 + _FUZZ

    def _shares(self, passage: Passage) -> list[float]:
        """The share of the claim that each sentence holds."""
        points = [0] * len(passage.sentences)
        for term, weight in self.weights.items():
            for place in passage.places.get(term, ()):
                points[place] += weight
        return [held / self.total if held else 0.0 for held in points]

    def _share(self, terms: frozenset[str]) -> float:
        return self._points(terms) / self.total if self.total else 0.0

    def _points(self, terms: frozenset[str]) -> int:
        return sum(map(self.weights.__getitem__, terms & self.terms))

    def _off_topic(self, passage: Passage, place: int) -> float:
        """How little of the question a sentence speaks of, for claims that are too short to tell sentences apart."""
        return -float(len(self.asked & passage.sentences[place][2].terms)) if self.short else 0.0

    def _support(self, number: int, passage: Passage, place: int, close: bool) -> Support | None:
        """How a sentence, with its neighbours, supports the claim. Unless asked for `close` ones too, None where it does not."""
        start, end, reading = passage.sentences[place]
        held, values, others = reading.terms, reading.values, [reading]
        for near in (place - 1, place + 1):
            if 0 <= near < len(passage.sentences) and self._joins(passage, place, near, held):
                begin, stop, other = passage.sentences[near]
                start, end = min(start, begin), max(end, stop)
                held, values, others = held | other.terms, values | other.values, [*others, other]
        if self.number_terms and all(number.is_among(values) for number in self.reading.numbers):
            held |= self.number_terms  # `3` for `three`
        context = passage.terms
        points = self._points(held)
        for term in (context & self.terms) - held:
            named = self.reading.weights[term] > 1 or term in passage.header
            points += self.weights[term] // (_NAMED if named else _CONTEXT)
        score = points / (self.total or 1)
        missed = self.new - held
        if self.new and len(missed) > (1 - _NEW) * len(self.new):
            score = min(score, SUPPORTED - 0.01)
        if self.short:
            score = self._short_score(passage, held, score)
        if score < SUPPORTED and not close:
            return None
        bare = score >= SUPPORTED and not self._says_it(held | passage.header, others)
        if bare and not close:
            return None
        main = self._nearest(others)
        conflict = (
            self._other_number(reading, values)
            or self._turned_round(reading)
            or self._other_name(others, context, passage)
            or self._denied(others, held)
            or opposed(self.reading, main, others, held)
            or rebound(self.reading, others)
        )
        if not conflict and self.language.characters:
            conflict = characters.says_otherwise(self.reading, main, held)
        return Support(number, start, end, min(score, SUPPORTED - 0.01) if bare else score, conflict, bare)

    def _nearest(self, readings: Sequence[Reading]) -> Reading:
        """The one that holds most of the claim."""
        return max(readings, key=lambda reading: self._share(reading.terms))

    def _says_it(self, held: frozenset[str], readings: Sequence[Reading]) -> bool:
        """Whether these terms hold what the claim says of its names and numbers, and not just those."""
        if self.language.characters:
            return not characters.strange(self.reading, held)
        plain = self.reading.plain_terms
        written: frozenset[str] = frozenset().union(*(reading.plain for reading in readings))
        missed = {
            term for term, word in plain.items()
            if term not in held and not _is_form(word, written) and not same_trend(word, readings)
        }  # fmt: skip
        if not missed:
            return True
        if len(missed) > (1 - self.language.said) * len(plain):
            return False
        verbs = {term for term, word in plain.items() if word.endswith(self.language.verbs)}
        return not (verbs & missed and len(plain) <= _TERSE)

    def _short_score(self, passage: Passage, held: frozenset[str], score: float) -> float:
        if self.reading.content - passage.terms or self.new - held:
            return min(score, SUPPORTED - 0.01)
        if self.asked and self.asked.isdisjoint(held):
            return min(score, SUPPORTED - 0.01)
        asked = len(self.asked & passage.terms) / len(self.asked) if self.asked else 1.0
        return 0.5 + 0.5 * asked  # a passage that holds a third of the question is about it

    def _joins(self, passage: Passage, place: int, near: int, held: frozenset[str]) -> bool:
        """Whether a neighbouring sentence carries on what this one says, and adds to what the claim needs."""
        other = passage.sentences[near][2]
        gained = (other.terms & self.terms) - held
        if self._points(gained) < _GAIN * self.total:
            return False
        later = passage.sentences[max(place, near)][2]
        if later.opens_by_pointing_back:
            return True
        linked = passage.sentences[place][2].content & other.content & self.reading.content
        return bool(linked) and any(not term[0].isdigit() for term in gained)

    def _other_number(self, reading: Reading, values: set[float]) -> bool:
        """Whether the claim has a number that the sentence has not; its neighbours help if it has no other instead."""
        if reading.months and not self.reading.months <= reading.months:
            return True
        mine = {value for number in self.reading.numbers for value in number.values}
        instead = any(not number.loose and mine.isdisjoint(number.values) for number in reading.numbers)
        missing = [
            number for number in self.reading.numbers if not number.loose and not number.is_among(reading.values)
        ]
        if missing:
            return instead or not all(number.is_among(values) for number in missing)
        # "14 ... 14" for "6 ... 14": each is there, but one of them in the place of another.
        ours, theirs = (Counter(number.values for number in item.numbers) for item in (self.reading, reading))
        return instead and any(count > theirs[number] > 0 for number, count in ours.items())

    def _turned_round(self, reading: Reading) -> bool:
        """Whether the claim has the sentence's words with two names or numbers in each other's place: who did what to whom."""
        if Counter(self.reading.stems) != Counter(reading.stems) or self.reading.stems == reading.stems:
            return False
        weights = {stem: max(weight, reading.weights[stem]) for stem, weight in self.reading.weights.items()}
        fixed = [stem for stem in self.reading.stems if weights[stem] > 1]
        mine, theirs = self.reading.stems.index, reading.stems.index
        for place, one in enumerate(fixed):
            for other in fixed[place + 1 :]:
                if one != other and theirs(one) > theirs(other):
                    between = set(self.reading.stems[mine(one) : mine(other)]) & set(
                        reading.stems[theirs(other) : theirs(one)]
                    )
                    names = not one[0].isdigit() and not other[0].isdigit()
                    if any(weights[stem] == 1 or (names and stem[0].isdigit()) for stem in between):
                        return True
        return False

    def _other_name(self, readings: Sequence[Reading], context: frozenset[str], passage: Passage) -> bool:
        """Whether the claim names somebody or something whom the sentences do not name."""
        plain = frozenset().union(*(reading.plain for reading in readings))
        named = [group for reading in readings for group in reading.names]
        mine = {word for group in self.reading.names for word in group} | set(self.reading.plain)
        strangers = [group for group in named if mine.isdisjoint(group) and not _initials(group) & mine]
        back = any(reading.points_back for reading in readings)
        stems = self.analyser.stem_words
        for group in self.reading.names:
            alike = [other for other in named if not set(group).isdisjoint(other)]
            if alike and not any(set(group) <= set(other) | plain or set(other) <= mine for other in alike):
                return True
            if alike:  # "Victor Horta" for "Horta": what is added must be known from around
                if not all(
                    word in plain or stem in context for word, stem in zip(group, stems(list(group)), strict=True)
                ):
                    return True
                continue
            if not plain.isdisjoint(group) or any(set(group) & _initials(other) for other in named):
                continue
            if _initials(group) & plain:
                continue
            if not any(stem in context for stem in stems(list(group))) or (strangers and not back):
                return True
        # "Einstein discovered ...": alone at the start, a name looks like any other word.
        opening = self.reading.opening
        if opening and strangers and not back and opening not in plain:
            (stem,) = stems([opening])
            return stem not in frozenset().union(*(reading.terms for reading in readings))
        return False

    def _denied(self, readings: Sequence[Reading], held: frozenset[str]) -> bool:
        """Whether one side denies what the other says, or says its opposite."""
        mine, wide = self.reading.denied
        theirs: frozenset[str] = frozenset().union(*(reading.denied[0] for reading in readings))
        others: frozenset[str] = frozenset().union(*(reading.denied[1] for reading in readings))
        if ((mine - others) & held) or ((theirs - wide) & self.reading.content):
            return True
        theirs_all = frozenset().union(*(reading.content for reading in readings))
        negations = sum(reading.negations for reading in readings)
        # The same sentence but for a "not" somewhere.
        return len(theirs_all & self.reading.terms) >= _ALIKE * len(theirs_all) and negations != self.reading.negations


def _is_form(word: str, written: Iterable[str]) -> bool:
    """Whether one of these words looks like a form of this one: the same letters at the start, "ge" aside."""
    word = word.removeprefix("ge")
    if len(word) < _ROOT:
        return False
    head = word[:_ROOT]
    for other in written:
        if not other.startswith((head, f"ge{head}")):
            continue
        other = other.removeprefix("ge")
        short, long = (word, other) if len(word) <= len(other) else (other, word)
        root = max(_ROOT, round(_ROOT_SHARE * len(long)))
        if len(short) >= root and short[:root] == long[:root]:
            return True
    return False


def _initials(group: tuple[str, ...]) -> set[str]:
    return {"".join(word[0] for word in group)} if len(group) > 1 else set()
