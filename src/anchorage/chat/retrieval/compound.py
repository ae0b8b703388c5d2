"""compound: the questions that one sentence joins, such as `How do I start it, and how do I stop it?`."""

from __future__ import annotations

import re

_ASKING = (
    "who|whom|whose|what|which|when|where|why|how|wer|wem|wen|was|welche[rsmn]?|wann|wo|warum|wie|qui|que|quel(?:le)?s?|quand|où|pourquoi|comment|combien|"
    "quién|qué|cuál(?:es)?|cuándo|dónde|por qué|cómo|cuánt[oa]s?"
)
_JOINT = re.compile(rf"(?:[?;]\s+(?:(?:and|und|et|y) )?|,? (?:and|und|et|y) )(?=(?:{_ASKING})\b)", re.IGNORECASE)
_OPENS = re.compile(rf"\W*(?:{_ASKING})\b", re.IGNORECASE)
_LEAST_WORDS = 4
_MOST_PARTS = 3


def split_question(question: str) -> list[str]:
    """Return the questions that a question joins, each a whole one; none where it is one."""
    parts = [part.strip(" ?,;") for part in _JOINT.split(question)]
    whole = [part for part in parts if _OPENS.match(part) and len(part.split()) >= _LEAST_WORDS]
    return [f"{part}?" for part in whole] if 1 < len(whole) == len(parts) <= _MOST_PARTS else []
