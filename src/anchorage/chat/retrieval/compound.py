"""compound: the questions that one sentence joins, and other wordings under which its passages are found without a model."""

from __future__ import annotations

import re

_ASKING = (
    "who|whom|whose|what|which|when|where|why|how|wer|wem|wen|was|welche[rsmn]?|wann|wo|warum|wie|qui|que|quel(?:le)?s?|quand|où|pourquoi|comment|combien|"
    "quién|qué|cuál(?:es)?|cuándo|dónde|por qué|cómo|cuánt[oa]s?"
)
_JOINT = re.compile(rf"(?:[?;]\s+(?:(?:and|und|et|y) )?|,? (?:and|und|et|y) )(?=(?:{_ASKING})\b)", re.IGNORECASE)
_OPENS = re.compile(rf"\W*(?:{_ASKING})\b", re.IGNORECASE)
_DEFINITION = re.compile(
    r"(?:what(?:'s|’s| is| are)|was (?:ist|sind)|qu['’]est-ce qu(?:e |['’])|c['’]est quoi|qué (?:es|son)|define) (?:an? |the |eine? |der |die |das |"
    r"une? |l[ea]s? |el |los |las )?(?P<subject>[^\s,;:?]+(?: [^\s,;:?]+)?(?: (?:in|of|bei|von|en|dans|de) [^\s,;:?]+)?)\s*\??", re.IGNORECASE
)  # fmt: skip
_STANDS_UNDER = ("definition of {}", "{}: definition, glossary")
_PAIR = re.compile(
    r"(?P<both>\b(?:both|between|beide|zwischen|entre|ambos)\b.{0,60}?)?\b(?P<first>[^\W\d_][\w.-]{1,40}) (?:and|und|et|y) "
    r"(?P<second>[^\W\d_][\w.-]{1,40})\b", re.IGNORECASE
)  # fmt: skip
_AFTER_PAIR = re.compile(
    r"\s*(?:[?.!]|\Z|(?:need|require|work|run|support|have|differ|use|do|did|find|brauchen|unterscheiden|nécessitent|necesitan)\b)", re.IGNORECASE
)  # fmt: skip
_LEAST_WORDS = 4
_MOST_PARTS = 3


def split_question(question: str) -> list[str]:
    """Return the questions that a question joins, each a whole one; none where it is one."""
    parts = [part.strip(" ?,;") for part in _JOINT.split(question)]
    whole = [part for part in parts if _OPENS.match(part) and len(part.split()) >= _LEAST_WORDS]
    return [f"{part}?" for part in whole] if 1 < len(whole) == len(parts) <= _MOST_PARTS else []


def word_otherwise(question: str) -> list[str]:
    """Return wordings that a question is also searched for: of one about two things one for each, of one for a definition what it would
    stand under. None for most questions.
    """
    if asks := _DEFINITION.fullmatch(question.strip()):
        return [wording.format(asks["subject"]) for wording in _STANDS_UNDER]
    pair = _PAIR.search(question)
    if pair is None or not (pair["both"] or _names_both(question, pair)):
        return []
    before, after = question[: pair.start("first")], question[pair.end("second") :]
    return [f"{before}{pair[name]}{after}" for name in ("first", "second")]


def _names_both(question: str, pair: re.Match[str]) -> bool:
    """Whether the words on both sides of the "and" stand at the end, or before a verb: not two properties of one thing."""
    return bool(_AFTER_PAIR.match(question, pair.end("second")))
