"""A passage that claims are held against, read only as far as they need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache

from anchorage.chat.verification.reading import Reading, terms_of, vocabulary_of
from anchorage.model import Hit
from anchorage.text.analyser import Analyser
from anchorage.text.hidden import strip_hidden_characters
from anchorage.text.languages import Language, detect_language
from anchorage.text.numbers import find_number_values
from anchorage.text.sentences import find_statement_spans

_KEPT, _KEPT_LENGTH = (
    100,
    1500,
)  # passages that stay read, and characters of each: about 20 MB if all of them is worked out


class Passage:
    """A passage that is read when a claim is first held against it."""

    def __init__(self, text: str, names: str, analyser: Analyser, expected: Language) -> None:
        self.text = text
        self._names = names
        self._analyser = analyser
        self._expected = expected

    @cached_property
    def language(self) -> Language:
        return detect_language(self.text, self._expected)

    @cached_property
    def spans(self) -> Sequence[tuple[int, int]]:
        return list(find_statement_spans(self.text))

    @cached_property
    def sentences(self) -> Sequence[tuple[int, int, Reading]]:
        text = self.text
        return [(start, end, Reading(text[start:end], self._analyser, self.language)) for start, end in self.spans]

    @cached_property
    def places(self) -> Mapping[str, Sequence[int]]:
        """The sentences that each term stands in, by number."""
        found: dict[str, list[int]] = {}
        for place, (_, _, reading) in enumerate(self.sentences):
            for term in reading.terms:
                found.setdefault(term, []).append(place)
        return found

    def verbatim(self, claim: str) -> tuple[int, int] | None:
        """The sentence that is the claim, white space aside."""
        text = self.text
        if claim not in self._line:
            return None
        return next(((start, end) for start, end in self.spans if " ".join(text[start:end].split()) == claim), None)

    @cached_property
    def _line(self) -> str:
        return " ".join(self.text.split())

    @cached_property
    def header(self) -> frozenset[str]:
        return terms_of(self._names, self._analyser)

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """`terms`, and maybe more, from the text as one: to tell without reading it what it cannot hold."""
        return self.header | vocabulary_of(self.text, self._analyser)

    @cached_property
    def values(self) -> set[float]:
        """All that its numbers may mean."""
        return find_number_values(strip_hidden_characters(self.text), self.language)

    @cached_property
    def terms(self) -> frozenset[str]:
        """All that stands in it, its title and headings too."""
        return self.header.union(*(reading.terms for _, _, reading in self.sentences))


def passage_of(hit: Hit, analyser: Analyser, expected: Language) -> Passage:
    """The passage of a hit. What was read of it is kept for a while: the same passages answer many questions."""
    read = _kept if len(hit.text) <= _KEPT_LENGTH else Passage
    return read(hit.text, " ".join((hit.title, *hit.heading_path)), analyser, expected)


_kept = lru_cache(maxsize=_KEPT)(Passage)
