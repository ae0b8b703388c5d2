"""A passage that claims are checked against. It is read only as far as they need it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache

from anchorage.chat.verification.reading import Reading, read_terms, read_vocabulary
from anchorage.model import Hit
from anchorage.text.analyser import Analyser
from anchorage.text.hidden import strip_hidden_characters
from anchorage.text.languages import Language, detect_language
from anchorage.text.numbers import find_number_values
from anchorage.text.sentences import find_statement_spans

_MAX_CACHED_PASSAGES = 100  # about 20 MB if everything of them is computed
_MAX_CACHED_LENGTH = 1500  # characters of a passage


class Passage:
    """A passage that is read when the first claim is checked against it."""

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
        """The numbers of the sentences that hold each term."""
        found: dict[str, list[int]] = {}
        for place, (_, _, reading) in enumerate(self.sentences):
            for term in reading.terms:
                found.setdefault(term, []).append(place)
        return found

    def find_verbatim(self, claim: str) -> tuple[int, int] | None:
        """Find the sentence that equals the claim, apart from white space."""
        text = self.text
        if claim not in self._line:
            return None
        return next(((start, end) for start, end in self.spans if " ".join(text[start:end].split()) == claim), None)

    @cached_property
    def _line(self) -> str:
        return " ".join(self.text.split())

    @cached_property
    def header(self) -> frozenset[str]:
        return read_terms(self._names, self._analyser)

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """`terms`, and maybe more, taken from the whole text: shows what it cannot hold before its sentences are read."""
        return self.header | read_vocabulary(self.text, self._analyser)

    @cached_property
    def values(self) -> set[float]:
        """All values that its numbers may mean."""
        return find_number_values(strip_hidden_characters(self.text), self.language)

    @cached_property
    def terms(self) -> frozenset[str]:
        """All its terms, with those of its title and headings."""
        return self.header.union(*(reading.terms for _, _, reading in self.sentences))


def load_passage(hit: Hit, analyser: Analyser, expected: Language) -> Passage:
    """Return the passage of a hit. Readings are cached, because the same passages answer many questions."""
    read = _load_cached_passage if len(hit.text) <= _MAX_CACHED_LENGTH else Passage
    return read(hit.text, " ".join((hit.title, *hit.heading_path)), analyser, expected)


_load_cached_passage = lru_cache(maxsize=_MAX_CACHED_PASSAGES)(Passage)
