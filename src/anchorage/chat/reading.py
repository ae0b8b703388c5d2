"""What a sentence says, as far as words show it: weighted terms, numbers, names, what is negated. No model is asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property, lru_cache

from anchorage.text.analyser import Analyser, words
from anchorage.text.hidden import visible
from anchorage.text.numbers import Number, months_of, numbers, values_of

_LIGHT = frozenset(
    "a about above after again all almost along already also although always am among an and another any are around as at be "
    "became because become been before being between both but by came can come could did do does done due during each either "
    "especially etc even ever every for from further get given had has have having he hence her here hers him his how however i if in "
    "include included includes including indeed instead into is it its itself just known later least less let like made mainly make many "
    "may me might more most much must my namely near nearly neither nor not now of off often on once one only onto or other "
    "others our out over own per perhaps quite rather s same shall she should since so some such than that the their theirs them then "
    "there therefore these they this those though through thus to together too toward towards under until up upon us use used using "
    "usually various very via was we well were what when where whether which while who whom whose why will with within without would yes yet "
    "you your t re ve ll d m "
    # Words about the answer, not of it.
    "according answer answers based context document documents passage passages provided question source sources stated states text".split()
)
_NEGATORS = frozenset(
    "no not never none nor neither without cannot nobody nothing nowhere hardly barely fails failed unable lacks lacked sin sans zonder "
    "nicht kein keine keinen keiner keines nie niemals ohne pas jamais aucun aucune ningún ninguno nunca jamás nem não "
    "nunca niet geen nooit không chưa chẳng nessun nessuno mai senza".split()
)
_ANAPHORS = frozenset(
    "he she it they him her them his hers its their this that these those such here there who which er sie es ihr sein diese dieser "
    "dieses il elle ils elles ce cette ces son sa ses leur él ella ellos ellas este esta estos estas su sus".split()
)
_OPPOSITES = (
    "increase decrease, increased decreased, rise fall, rose fell, higher lower, highest lowest, more less, most least, larger smaller, "
    "largest smallest, bigger smaller, longer shorter, longest shortest, older younger, oldest youngest, faster slower, before after, "
    "first last, earlier later, north south, northern southern, east west, eastern western, win lose, won lost, open close, "
    "opened closed, allow forbid, allowed forbidden, accept reject, accepted rejected, true false, male female, best worst, better "
    "worse, always never, up down, left right, above below, inside outside, majority minority, positive negative, activate inhibit, "
    "activates inhibits, promote inhibit, promotes inhibits, upregulate downregulate, legal illegal, possible impossible, maximum minimum, "
    "enable disable, enabled disabled, start end, started ended, begin end, began ended, import export, imports exports, married unmarried, "
    "guilty innocent, alive dead, safe unsafe, present absent, gain loss, add remove, added removed, buy sell, bought sold, early late, over under, "
    "born died, metre foot, metres feet, km miles, kilometres miles, kilograms pounds, kg lb, "
    "celsius fahrenheit, dollars euros, dollars pounds, euros pounds, buyer seller, double triple, doubled tripled, doubled halved"
)
_PIECE = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[,;:.!?()—–]")
_DOTTED = re.compile(r"\b(?:[A-Za-z]\.){2,}")
_SCOPE = 4  # terms after a negator that it may reach
_JOINTS = frozenset("but and or aber und oder mais et ou pero y o".split())
_NAME_WEIGHT, _NUMBER_WEIGHT, _WORD_WEIGHT, _LIGHT_WEIGHT = 1.5, 2.0, 1.0, 0.1
_SHORT = 3
_TITLE_CASE = 0.8


class Reading:
    """A sentence read. Everything but its words is worked out when it is first asked for."""

    def __init__(self, text: str, analyser: Analyser) -> None:
        self.text = _DOTTED.sub(lambda match: match.group().replace(".", ""), visible(text))
        self._analyser = analyser
        self._words = words(self.text)
        lowered = [word.lower() for word, _, _ in self._words]
        self.stems = analyser.stems(lowered)
        self.lowered = lowered
        self.terms = frozenset(self.stems)

    @cached_property
    def weights(self) -> Mapping[str, float]:
        """How much each term counts: numbers and names more than words, words of grammar next to nothing."""
        found: dict[str, float] = {}
        named = {word for group in self.names for word in group}
        for (word, _, _), low, stem in zip(self._words, self.lowered, self.stems, strict=True):
            if word[0].isdigit():
                weight = _NUMBER_WEIGHT
            elif low in named:
                weight = _NAME_WEIGHT
            else:
                weight = _LIGHT_WEIGHT if is_light(low) else _WORD_WEIGHT
            found[stem] = max(weight, found.get(stem, 0.0))
        return found

    @cached_property
    def content(self) -> frozenset[str]:
        """The terms that say something."""
        return frozenset(stem for stem, weight in self.weights.items() if weight >= _WORD_WEIGHT)

    @cached_property
    def numbers(self) -> list[Number]:
        return numbers(self.text)

    @cached_property
    def values(self) -> set[float]:
        return values_of(self.text)

    @cached_property
    def months(self) -> set[float]:
        return months_of(self.text) if self.numbers else set()

    @cached_property
    def names(self) -> list[tuple[str, ...]]:
        """Runs of capitalised words, in lower case; none where capitals mean something else (titles, German nouns)."""
        capital = [word[0].isupper() for word, _, _ in self._words]
        counted = [is_capital for is_capital, low in zip(capital, self.lowered, strict=True) if len(low) > _SHORT]
        if self._analyser.capitalises_nouns or (len(counted) >= 5 and sum(counted) > _TITLE_CASE * len(counted)):
            return []
        groups: list[tuple[str, ...]] = []
        run: list[str] = []
        last = -1
        for place, (is_capital, low) in enumerate(zip(capital, self.lowered, strict=True)):
            acronym = len(low) > 1 and self._words[place][0].isupper()
            # The first word is capitalised anyway; it is part of a name when the next word is.
            first_alone = place == 0 and not (len(capital) > 1 and capital[1] and self._adjoin(0))
            if acronym or (is_capital and low not in _LIGHT and not first_alone):
                if run and (last != place - 1 or not self._adjoin(last)):
                    groups.append(tuple(run))
                    run = []
                run.append(low.removesuffix("'s").removesuffix("’s"))
                last = place
        return [*groups, tuple(run)] if run else groups

    @property
    def opening(self) -> str | None:
        """The first word, in lower case, if it could be a name that stands alone."""
        if not self._words or self._analyser.capitalises_nouns:
            return None
        word = self._words[0][0]
        return self.lowered[0] if word[0].isupper() and not is_light(self.lowered[0]) else None

    @cached_property
    def plain(self) -> frozenset[str]:
        """The words as they stand, in lower case."""
        return frozenset(low.removesuffix("'s").removesuffix("’s") for low in self.lowered)

    def _adjoin(self, place: int) -> bool:
        """Whether nothing but a space, a hyphen or an initial's full stop lies between this word and the next."""
        return self.text[self._words[place][2] : self._words[place + 1][1]] in (" ", "-", ". ", "\n")

    @cached_property
    def negations(self) -> int:
        return sum(low in _NEGATORS or low.endswith(("n't", "n’t")) for low in self.lowered)

    @cached_property
    def denied(self) -> tuple[frozenset[str], frozenset[str]]:
        """Terms that a negation denies outright, and those that it may reach; not those that are also affirmed."""
        if not self.negations:
            return frozenset(), frozenset()
        strict: set[str] = set()
        wide: set[str] = set()
        affirmed: set[str] = set()
        clause: list[str] = []
        marks: list[int] = []
        for piece in [*_PIECE.findall(self.text), "."]:
            low = piece.lower()
            if not piece[0].isalnum() or low in _JOINTS:
                near, reach = _under(clause, marks)
                strict |= near
                wide |= reach
                affirmed.update(term for term in clause if term not in reach)
                clause, marks = [], []
            elif low in _NEGATORS or low.endswith(("n't", "n’t")):
                marks.append(len(clause))
            elif not is_light(low):
                clause.append(self._analyser.stems([low])[0])
        return frozenset(strict - affirmed), frozenset(wide)

    @cached_property
    def points_back(self) -> bool:
        """Whether the sentence speaks of something by a pronoun."""
        return not _ANAPHORS.isdisjoint(self.lowered)

    @cached_property
    def opens_by_pointing_back(self) -> bool:
        return not _ANAPHORS.isdisjoint(self.lowered[:3])


def is_light(word: str) -> bool:
    """Whether a lower-case word is one of grammar; short words of any language count as such."""
    return word in _LIGHT or word in _NEGATORS or (len(word) < _SHORT and word.isascii() and not word[0].isdigit())


def _under(clause: list[str], marks: list[int]) -> tuple[set[str], set[str]]:
    """The terms next to the negators, and those within their scope: after them, or before where nothing follows."""
    near: set[str] = set()
    reach: set[str] = set()
    for mark in marks:
        scope = clause[mark : mark + _SCOPE] or clause[max(mark - 2, 0) : mark][::-1]
        near.update(scope[:1])
        reach.update(scope)
    return near, reach


@lru_cache(maxsize=32)
def opposites(analyser: Analyser) -> Mapping[str, frozenset[str]]:
    """Terms that deny each other, both ways. English."""
    found: dict[str, set[str]] = {}
    for pair in _OPPOSITES.split(","):
        one, other = analyser.stems(pair.split())
        if one != other:
            found.setdefault(one, set()).add(other)
            found.setdefault(other, set()).add(one)
    return {term: frozenset(others) for term, others in found.items()}
