"""Finds the span of a passage that supports a claim, by words: a lexical stand-in for an entailment model.

A claim's terms are weighted (numbers and names more than words) and looked up in each sentence of the passage. Terms in the
title, the headings or the rest of the passage count less. A sentence that gives another number or another
name, or denies what the claim says, does not support it, however many terms they share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from anchorage.chat.verification import characters
from anchorage.chat.verification.bindings import reassigns_number
from anchorage.chat.verification.passage import Passage
from anchorage.chat.verification.reading import Reading
from anchorage.chat.verification.sense import says_opposite, says_same_trend
from anchorage.text.analyser import Analyser, find_words
from anchorage.text.languages import Language
from anchorage.text.numbers import Number

SUPPORTED = 0.65
"""The share of a claim's weight that its support must hold."""
_CONTEXT_DIVISOR, _NAME_DIVISOR = (
    4,
    2,
)  # what the weight of a word, and of a name, is divided by if it is elsewhere in the passage
_QUESTION_TERM_WEIGHT = 0.5  # the weight of a term that is in the question too: the answer is in the other terms
_MIN_NEW_SHARE = 0.6  # the share that must be found of the terms that are not in the question
_MIN_GAIN = 0.15  # the share that a neighbouring sentence must add to join the span
_MIN_NEAR_SHARE = 0.2  # sentences that hold a smaller share are not examined
_SAME_SENTENCE_SHARE = 0.85  # a claim that holds this share of a sentence is the same sentence
_CONFLICT_LEAD = 0.1  # how much more a contradicting sentence must score to win against a supporting one
_MAX_TRIED = 3  # sentences of a passage that are examined closely
_FUZZ = 1e-9
_UNIT = 80  # weights are whole 80ths, so that their sums do not depend on the order of a set
_SHORT_CLAIM_TERMS = 3  # a claim of fewer content terms must be found whole, near the terms of the question
_FEW_PLAIN_WORDS = 3  # a claim of so few plain words says something else if its verb is missing
_MIN_ROOT = 4  # letters that two forms of one word share at least
_ROOT_SHARE = 0.55


@dataclass(frozen=True, slots=True)
class Support:
    """`hit.text[start:end]` holds `score` of a claim's weight. `conflict`: it contradicts the claim."""

    passage: int
    start: int
    end: int
    score: float
    conflict: bool = False
    bare: bool = False
    """Whether it holds the names and numbers of the claim but not what the claim says of them."""

    @property
    def good(self) -> bool:
        return not self.conflict and self.score >= SUPPORTED

    @property
    def contradicts(self) -> bool:
        """Whether it is about the same and contradicts the claim."""
        return self.conflict and self.score >= SUPPORTED


class Claim:
    """A piece of an answer, with what is needed to check it against passages."""

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
        """The weight of each term, in 80ths."""
        asked = self._question().terms
        return {
            term: round(_UNIT * weight * (_QUESTION_TERM_WEIGHT if term in asked else 1))
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
        """The terms that are not in the question."""
        return self.reading.content - self._question().terms

    @cached_property
    def asked(self) -> frozenset[str]:
        """The terms of the question that the claim leaves out."""
        return self._question().content - self.reading.terms

    @cached_property
    def short(self) -> bool:
        return len(self.reading.content) < _SHORT_CLAIM_TERMS

    @cached_property
    def number_terms(self) -> frozenset[str]:
        """The terms that its numbers are written with."""
        text = self.reading.text
        spelled = [
            word.lower() for item in self.reading.numbers for word, _, _ in find_words(text[item.start : item.end])
        ]
        return frozenset(self.analyser.stem_words(spelled))

    @cached_property
    def _numbers_share(self) -> float:
        """The share of the claim that its numbers make up, however they are written."""
        return self._compute_share(self.number_terms)

    @cached_property
    def _strict_numbers(self) -> list[Number]:
        """The numbers that its support must have."""
        return [number for number in self.reading.numbers if not number.loose]

    @property
    def says_something(self) -> bool:
        return bool(self.reading.content)

    def find_support(self, number: int, passage: Passage) -> Support | None:
        """Find the best good support in a passage, if there is one. The sentences are read only if the words of the passage allow one."""
        if not self._may_be_supported(passage, SUPPORTED) or not self._passage_has_numbers(passage):
            return None
        support = self._find_best_support(number, passage, close=False)
        return support if support and support.good else None

    def is_contradicted_by(self, passage: Passage) -> bool:
        """Whether a passage that does not support the claim contradicts it."""
        support = (
            self._find_best_support(0, passage, close=False) if self._may_be_supported(passage, SUPPORTED) else None
        )
        return support is not None and support.contradicts

    def find_nearest(self, number: int, passage: Passage) -> Support | None:
        """Find the best support in a passage, good or not."""
        return (
            self._find_best_support(number, passage, close=True)
            if self._may_be_supported(passage, _MIN_NEAR_SHARE)
            else None
        )

    def _may_be_supported(self, passage: Passage, least: float) -> bool:
        """Whether the words of a passage, in any place, hold this share of the claim."""
        most = self._compute_share(passage.vocabulary)
        if most < least and most + self._numbers_share < least:
            return False
        return not self.short or least < SUPPORTED or self.reading.content <= passage.vocabulary

    def _passage_has_numbers(self, passage: Passage) -> bool:
        return all(number.is_among(passage.values) for number in self._strict_numbers)

    def _find_best_support(self, number: int, passage: Passage, *, close: bool) -> Support | None:
        found = self._compute_sentence_shares(passage)
        places = [place for place, share in enumerate(found) if share >= _MIN_NEAR_SHARE]
        places.sort(key=lambda place: (-found[place], self._rate_off_topic(passage, place), place))
        best: Support | None = None
        worst: Support | None = None
        whole = 0.0 if close else self._compute_share(passage.terms) + self._numbers_share
        for place in places[:_MAX_TRIED]:
            if not (close or self.short) and self._estimate_best_score(found, place, whole) < SUPPORTED:
                continue
            support = self._score_sentence(number, passage, place, close)
            if support is None:
                continue
            if best is None or (support.good, support.score) > (best.good, best.score):
                best = support
            if support.contradicts and (worst is None or support.score > worst.score):
                worst = support
            if found[place] >= 0.999 and support.good:
                break
        # A contradiction that matches the claim clearly better outweighs the support.
        return worst if worst and best and best.good and worst.score > best.score + _CONFLICT_LEAD else best

    def _estimate_best_score(self, found: Sequence[float], place: int, whole: float) -> float:
        """The upper bound of a sentence's score: all that its neighbours hold, and half of what is elsewhere in the passage."""
        here = sum(found[max(place - 1, 0) : place + 2]) + self._numbers_share
        return (min(here, whole) + whole) / 2 + _FUZZ

    def _compute_sentence_shares(self, passage: Passage) -> list[float]:
        """The share of the claim that each sentence holds."""
        points = [0] * len(passage.sentences)
        for term, weight in self.weights.items():
            for place in passage.places.get(term, ()):
                points[place] += weight
        return [held / self.total if held else 0.0 for held in points]

    def _compute_share(self, terms: frozenset[str]) -> float:
        return self._sum_weights(terms) / self.total if self.total else 0.0

    def _sum_weights(self, terms: frozenset[str]) -> int:
        return sum(map(self.weights.__getitem__, terms & self.terms))

    def _rate_off_topic(self, passage: Passage, place: int) -> float:
        """How little a sentence shares with the question. It ranks sentences where a claim is too short to do so."""
        return -float(len(self.asked & passage.sentences[place][2].terms)) if self.short else 0.0

    def _score_sentence(self, number: int, passage: Passage, place: int, close: bool) -> Support | None:
        """Score a sentence, with its neighbours, as support of the claim. None where it does not support it, unless `close` asks for those too."""
        start, end, reading = passage.sentences[place]
        held, values, others = reading.terms, reading.values, [reading]
        for near in (place - 1, place + 1):
            if 0 <= near < len(passage.sentences) and self._continues_sentence(passage, place, near, held):
                begin, stop, other = passage.sentences[near]
                start, end = min(start, begin), max(end, stop)
                held, values, others = held | other.terms, values | other.values, [*others, other]
        if self.number_terms and all(number.is_among(values) for number in self.reading.numbers):
            held |= self.number_terms  # `3` for `three`
        context = passage.terms
        points = self._sum_weights(held)
        for term in (context & self.terms) - held:
            named = self.reading.weights[term] > 1 or term in passage.header
            points += self.weights[term] // (_NAME_DIVISOR if named else _CONTEXT_DIVISOR)
        score = points / (self.total or 1)
        missed = self.new - held
        if self.new and len(missed) > (1 - _MIN_NEW_SHARE) * len(self.new):
            score = min(score, SUPPORTED - 0.01)
        if self.short:
            score = self._score_short_claim(passage, held, score)
        if score < SUPPORTED and not close:
            return None
        bare = score >= SUPPORTED and not self._holds_plain_words(held | passage.header, others)
        if bare and not close:
            return None
        main = self._find_main_reading(others)
        conflict = (
            self._has_other_number(reading, values)
            or self._swaps_terms(reading)
            or self._has_other_name(others, context, passage)
            or self._denies_sentence(others, held)
            or says_opposite(self.reading, main, others, held)
            or reassigns_number(self.reading, others)
        )
        if not conflict and self.language.characters:
            conflict = characters.says_otherwise(self.reading, main, held)
        return Support(number, start, end, min(score, SUPPORTED - 0.01) if bare else score, conflict, bare)

    def _find_main_reading(self, readings: Sequence[Reading]) -> Reading:
        """Return the reading that holds most of the claim."""
        return max(readings, key=lambda reading: self._compute_share(reading.terms))

    def _holds_plain_words(self, held: frozenset[str], readings: Sequence[Reading]) -> bool:
        """Whether these terms hold what the claim says of its names and numbers, not only the names and numbers."""
        if self.language.characters:
            return not characters.has_strange_characters(self.reading, held)
        plain = self.reading.plain_terms
        written: frozenset[str] = frozenset().union(*(reading.plain for reading in readings))
        missed = {
            term for term, word in plain.items()
            if term not in held and not _is_form(word, written) and not says_same_trend(word, readings)
        }  # fmt: skip
        if not missed:
            return True
        if len(missed) > (1 - self.language.said) * len(plain):
            return False
        verbs = {term for term, word in plain.items() if word.endswith(self.language.verbs)}
        return not (verbs & missed and len(plain) <= _FEW_PLAIN_WORDS)

    def _score_short_claim(self, passage: Passage, held: frozenset[str], score: float) -> float:
        if self.reading.content - passage.terms or self.new - held:
            return min(score, SUPPORTED - 0.01)
        if self.asked and self.asked.isdisjoint(held):
            return min(score, SUPPORTED - 0.01)
        asked = len(self.asked & passage.terms) / len(self.asked) if self.asked else 1.0
        return 0.5 + 0.5 * asked  # a passage that holds a third of the question is about it

    def _continues_sentence(self, passage: Passage, place: int, near: int, held: frozenset[str]) -> bool:
        """Whether a neighbouring sentence continues this one and adds terms that the claim needs."""
        other = passage.sentences[near][2]
        gained = (other.terms & self.terms) - held
        if self._sum_weights(gained) < _MIN_GAIN * self.total:
            return False
        later = passage.sentences[max(place, near)][2]
        if later.opens_by_pointing_back:
            return True
        linked = passage.sentences[place][2].content & other.content & self.reading.content
        return bool(linked) and any(not term[0].isdigit() for term in gained)

    def _has_other_number(self, reading: Reading, values: set[float]) -> bool:
        """Whether the claim has a number that the sentence lacks. Neighbours may supply it if the sentence has no other number in its place."""
        if reading.months and not self.reading.months <= reading.months:
            return True
        mine = {value for number in self.reading.numbers for value in number.values}
        instead = any(not number.loose and mine.isdisjoint(number.values) for number in reading.numbers)
        missing = [
            number for number in self.reading.numbers if not number.loose and not number.is_among(reading.values)
        ]
        if missing:
            return instead or not all(number.is_among(values) for number in missing)
        # "14 ... 14" for "6 ... 14": each number occurs, but one of them replaces another.
        ours, theirs = (Counter(number.values for number in item.numbers) for item in (self.reading, reading))
        return instead and any(count > theirs[number] > 0 for number, count in ours.items())

    def _swaps_terms(self, reading: Reading) -> bool:
        """Whether the claim has the words of the sentence but swaps two names or numbers: who did what to whom."""
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

    def _has_other_name(self, readings: Sequence[Reading], context: frozenset[str], passage: Passage) -> bool:
        """Whether the claim names somebody or something that the sentences do not name."""
        plain = frozenset().union(*(reading.plain for reading in readings))
        named = [group for reading in readings for group in reading.names]
        mine = {word for group in self.reading.names for word in group} | set(self.reading.plain)
        strangers = [group for group in named if mine.isdisjoint(group) and not _form_initials(group) & mine]
        back = any(reading.points_back for reading in readings)
        stems = self.analyser.stem_words
        for group in self.reading.names:
            alike = [other for other in named if not set(group).isdisjoint(other)]
            if alike and not any(set(group) <= set(other) | plain or set(other) <= mine for other in alike):
                return True
            if alike:  # "Victor Horta" for "Horta": the context must hold the added word
                if not all(
                    word in plain or stem in context for word, stem in zip(group, stems(list(group)), strict=True)
                ):
                    return True
                continue
            if not plain.isdisjoint(group) or any(set(group) & _form_initials(other) for other in named):
                continue
            if _form_initials(group) & plain:
                continue
            if not any(stem in context for stem in stems(list(group))) or (strangers and not back):
                return True
        # "Einstein discovered ...": a single name at the start looks like any other word.
        opening = self.reading.opening
        if opening and strangers and not back and opening not in plain:
            (stem,) = stems([opening])
            return stem not in frozenset().union(*(reading.terms for reading in readings))
        return False

    def _denies_sentence(self, readings: Sequence[Reading], held: frozenset[str]) -> bool:
        """Whether one side denies what the other says, or says its opposite."""
        mine, wide = self.reading.denied
        theirs: frozenset[str] = frozenset().union(*(reading.denied[0] for reading in readings))
        others: frozenset[str] = frozenset().union(*(reading.denied[1] for reading in readings))
        if ((mine - others) & held) or ((theirs - wide) & self.reading.content):
            return True
        theirs_all = frozenset().union(*(reading.content for reading in readings))
        negations = sum(reading.negations for reading in readings)
        # The same sentence but for a "not" somewhere.
        return (
            len(theirs_all & self.reading.terms) >= _SAME_SENTENCE_SHARE * len(theirs_all)
            and negations != self.reading.negations
        )


def _is_form(word: str, written: Iterable[str]) -> bool:
    """Whether one of these words looks like a form of this one: they begin with the same letters, after any "ge"."""
    word = word.removeprefix("ge")
    if len(word) < _MIN_ROOT:
        return False
    head = word[:_MIN_ROOT]
    for other in written:
        if not other.startswith((head, f"ge{head}")):
            continue
        other = other.removeprefix("ge")
        short, long = (word, other) if len(word) <= len(other) else (other, word)
        root = max(_MIN_ROOT, round(_ROOT_SHARE * len(long)))
        if len(short) >= root and short[:root] == long[:root]:
            return True
    return False


def _form_initials(group: tuple[str, ...]) -> set[str]:
    return {"".join(word[0] for word in group)} if len(group) > 1 else set()
