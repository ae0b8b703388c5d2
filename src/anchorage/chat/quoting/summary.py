"""summary: a document in a few of its own sentences, for those who ask what it is about."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from anchorage.chat.quoting.asked import Asked, opens_backwards
from anchorage.chat.quoting.prose import reads_as_title
from anchorage.chat.quoting.scale import CosineScale
from anchorage.chat.quoting.units import MAX_UNIT_CHARS, Unit, UnitKind
from anchorage.model import Hit
from anchorage.text.analyser import Analyser

MOST = 5
"""Sentences of a summary."""
_SUMMARY = r"(?:summary|overview|gist|synopsis|key points|main points|zusammenfassung|überblick|inhalt|résumé|aperçu|resumen|sinopsis|visión general)"
# Who asks for a summary begins with it, with a verb or with a request; "how do I write a summary?" and "the summary judgment rule" do not.
_ASKS = re.compile(
    r"\A(?!\W*(?:how|why|when|where|who|wie|warum|wann|comment|pourquoi|cómo|por qué)\b)(?:"
    r".{0,40}\b(?:summari[sz]e|sum up|tl;?dr|zusammenfassen|fasse?\b.{0,200}\bzusammen|résume[rz]?|resumir|resum[ae]me|resúmeme|resume (?:el|la|los|las|este|esta|ese|esa))\b|"
    r"\W*(?:(?:please|can you|could you|can i|give|show|get|have|want|need|like|write|provide|make|create|i|i['’]d|would|me|us|what|what['’]s|is|are|bitte|gib|mir|erstelle|zeige|"
    r"was|ist|kannst du|ich|möchte|brauche|donne(?:z)?|moi|fais|faites|quel|est|veux|voudrais|je|dame|haz|hazme|quiero|cuál|es|an?|the|eine?n?|die|der|das|den|une?|le|la|el|los|las|"
    r"short|brief|quick|concise|kurze?[nrs]?|bref|brève|court|breve|corto)[\s-]+){0,9}"
    + _SUMMARY
    + r"(?=\s*(?:of|about|on|from|über|von|zu[rm]?|des|de[rsmnl]?|du|d['’]|sur|sobre|please|bitte)\b|\W*\Z))|"
    r"\b(?:what(?:'s|’s| is| are)\b.{1,80}\babout|en bref)\b\W*\Z|\A\W*(?:worum geht es|wovon handelt|de quoi parle|de qué trata)\b", re.IGNORECASE
)  # fmt: skip
_ASKING_WORDS = (
    "summary summarise summarize short brief give overview gist outline main key points about document page paper report essay article book email file "
    "zusammenfassung fasse zusammen überblick dokument résumé résume document resumen resume documento"
)
_FEWEST_WORDS = 6
_KINDS = (UnitKind.SENTENCE, UnitKind.ITEM, UnitKind.LINE, UnitKind.LIST)
_MOST_ITEMS, _MOST_LIST_CHARS = 8, 600  # of a list that is quoted as one
_BOILERPLATE = re.compile(
    r"\b(?:licen[cs]e[ds]?|copyright|all rights reserved|terms of use|redistribut\w+|no warrant\w+|e-?book|lizenz\w*|urheberrecht\w*|droits? d['’]auteur|licencia)\b|©",
    re.IGNORECASE,
)
_HEADER = re.compile(r"^\W*(?:To|From|Date|Subject|Cc|Reply-To|Von|An|Datum|Betreff|De|À|Objet|Para|Asunto): ")


def asks_for_summary(question: str) -> bool:
    """Whether a question asks what a document is about."""
    return _ASKS.search(question) is not None


def choose_document(asked: Asked, hits: Sequence[Hit], analyser: Analyser) -> Hit | None:
    """The hit whose document is meant: the one whose title or address the question names, else the one that was found best."""
    spoken = set(analyser.extract_terms(_ASKING_WORDS))
    named = [term for term in asked.terms if term not in spoken] or list(asked.terms)
    scores: dict[str, float] = {}
    first: dict[str, Hit] = {}
    for hit in hits:
        first.setdefault(hit.document_id, hit)
        scores[hit.document_id] = max(scores.get(hit.document_id, 0.0), hit.score)
    for document_id, hit in first.items():
        opening = max(
            (other.text[:200] for other in hits if other.document_id == document_id and other.start < 100), default=""
        )
        held = set(analyser.extract_terms(f"{hit.title} {re.sub(r'[_/.-]', ' ', hit.uri)} {opening}"))
        scores[document_id] += 2 * sum(term in held for term in named) / len(named)
        scores[document_id] += 0.5 * any(term in named for term in analyser.extract_terms(hit.title)[:1])
    if not scores:
        return None
    return first[max(scores, key=scores.__getitem__)]


def choose_sentences(units: Sequence[Unit], vectors: NDArray[np.float32], scale: CosineScale) -> list[Unit]:
    """Choose sentences that stand for the others, in their order: near the middle of all of them, at the head of the document or of a
    section, and unlike one another (Carbonell and Goldstein, 1998, "The use of MMR").
    """
    if not units:
        return []
    middle = vectors.mean(axis=0)
    middle /= np.linalg.norm(middle) or 1.0
    worth = scale.normalise(vectors @ middle) + np.array([_weigh(unit, at) for at, unit in enumerate(units)])
    chosen: list[int] = []
    while len(chosen) < min(MOST, len(units)):
        alike = scale.normalise((vectors @ vectors[chosen].T).max(axis=1)) if chosen else np.zeros(len(units))
        value = worth - 0.6 * alike
        value[chosen] = -np.inf
        chosen.append(int(np.argmax(value)))
    return [units[at] for at in sorted(chosen)]


def find_summable(units: Sequence[Unit], most: int) -> list[Unit]:
    """The units that can stand in a summary, at most so many: all of a short document, of a long one those at the head of each section."""
    fit = [unit for unit in units if _can_stand_for_others(unit)]
    whole = {(unit.place, unit.group) for unit in fit if unit.kind is UnitKind.LIST}
    fit = [unit for unit in fit if unit.kind is not UnitKind.ITEM or (unit.place, unit.group) not in whole]
    if len(fit) <= most:
        return fit
    seen: dict[tuple[str, ...], int] = {}
    heads = []
    for unit in fit:
        nth = seen.get(unit.path, 0)
        seen[unit.path] = nth + 1
        heads.append((nth, unit))
    depth = sorted(nth for nth, _ in heads)[most - 1]
    return [unit for nth, unit in heads if nth <= depth][:most]


def _can_stand_for_others(unit: Unit) -> bool:
    text, length = unit.text.rstrip(), unit.end - unit.start
    if unit.kind is UnitKind.LIST and (len(unit.parts) > _MOST_ITEMS or length > _MOST_LIST_CHARS or not unit.lead):
        return False
    if (
        unit.kind not in _KINDS
        or len(text.split()) < _FEWEST_WORDS
        or length > max(1.5 * MAX_UNIT_CHARS, _MOST_LIST_CHARS)
    ):
        return False
    return not (
        text.endswith((":", "：", "following", "below", "as follows"))
        or reads_as_title(text)
        or _BOILERPLATE.search(text)
        or _HEADER.match(text)
    )


def _weigh(unit: Unit, at: int) -> float:
    start = max(0.0, 0.35 - 0.05 * at)
    backwards = 0.15 if opens_backwards(unit.text) else 0.0
    return start - backwards - (0.1 if unit.kind is not UnitKind.SENTENCE else 0.0)
