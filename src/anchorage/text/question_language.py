"""Which language a question is in. A question is short, so how it opens counts beside its words of grammar."""

from __future__ import annotations

import re

from anchorage.text.languages import KNOWN, Language, count_common_words, detect_language, load_language

# A word that opens questions in one language tells it; one that also begins English ones tells half as much.
_OPENERS = {
    "english": (r"who(?:m|se)?|what|which|when|where|why|how", r"is|are|do|does|did|can|was|were|has|have|will"),
    "german": (r"wer|wen|wem|wessen|wann|wo|woher|wohin|warum|wieso|weshalb|wie|welche[rsmn]?|wofür|womit", r"was"),
    "french": (r"qui|quel(?:le)?s?|quand|où|pourquoi|combien|est-ce|qu['’]\w+|que", r"comment"),
    "spanish": (r"qué|quién(?:es)?|cuál(?:es)?|cuándo|a?dónde|cómo|cuánt[oa]s?", r"que|como"),
    "italian": (r"chi|cosa|qual[ei]?|dove|perché|quant[oaie]", r"come|quando"),
    "portuguese": (r"quem|qua(?:l|is)|onde|quant[oa]s?", r"como|quando|o que"),
    "dutch": (r"wat|waar|wanneer|waarom|hoe|welke?", r"wie"),
}
_PATTERNS = {
    name: tuple(re.compile(rf"\W*(?:{words})\b", re.IGNORECASE) for words in both) for name, both in _OPENERS.items()
}
_SPANISH_MARK = "¿"
_AFTER_LATIN = "\u0250"


def detect_question_language(question: str, expected: Language) -> Language:
    """Return the language of a question; the expected one where neither its words nor how it opens show another."""
    detected = detect_language(question, expected)
    counts = count_common_words(question)
    if detected.name not in (*counts, "none") or expected.name not in KNOWN:
        return detected
    for name, (sure, likely) in _PATTERNS.items():
        counts[name] = counts.get(name, 0) + (2 if sure.match(question) else 1 if likely.match(question) else 0)
    counts["spanish"] += 2 * (_SPANISH_MARK in question)
    best = max(counts, key=counts.__getitem__)
    return load_language(best) if counts[best] > counts.get(expected.name, 0) else detected


def is_in_latin_script(text: str) -> bool:
    """Whether most letters of a text are Latin; also where it has none."""
    letters = [char for char in text if char.isalpha()]
    return 2 * sum(char < _AFTER_LATIN for char in letters) >= len(letters)
