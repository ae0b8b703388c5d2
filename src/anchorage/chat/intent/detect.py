"""detect: tells from its words what a message wants. Deterministic; what matches nothing is a question about the documents."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum, auto
from functools import lru_cache

from anchorage.chat.intent.phrases import LANGUAGES, Phrases, Talk, compiled

_SIGNS = re.compile(r"[^\w\s.+#/-]|(?<!\w)[.+#/-]|[.+#/-](?!\w)|_")
_MOST_TALK = 8  # words of small talk at most
_MOST_VAGUE = 8  # words of a question that only points


class Intent(StrEnum):
    """What a message wants."""

    DOCUMENTS = auto()
    """An answer from the documents."""
    TALK = auto()
    LIST_ALL = auto()
    COUNT = auto()
    NEWEST = auto()
    MATCHING = auto()
    """Which documents are of a kind, or about a topic."""
    VAGUE = auto()
    """It names no subject, and nothing was said before that could be meant."""


@dataclass(frozen=True, slots=True)
class Detected:
    """An intent, in the language of its words, with the kind of small talk or the topic."""

    intent: Intent
    phrases: Phrases
    talk: Talk | None = None
    topic: str = ""
    place: str = ""
    """The collection or the folder whose documents are meant; empty for all of them."""
    titled: bool = False
    """Whether only documents that bear the topic in their names are meant: "do you have a warranty?" may ask for its terms as well."""


@lru_cache(maxsize=len(LANGUAGES))
def _patterns(index: int) -> dict[str, re.Pattern[str]]:
    phrases = LANGUAGES[index]
    named = {
        "list_all": phrases.list_all, "count": phrases.count, "newest": phrases.newest, "of_kind": phrases.of_kind,
        "about": phrases.about, "pointing": phrases.pointing, "everywhere": phrases.everywhere,
        "documents": rf"\b{phrases.documents}\b",
    }  # fmt: skip
    return {
        **{name: compiled(pattern, phrases) for name, pattern in named.items()},
        **{kind: re.compile(pattern) for kind, pattern in phrases.talk.items()},
    }


def detect_intent(message: str, *, alone: bool) -> Detected:
    """What the message wants. `alone`: nothing was said before it, so that nothing can be pointed to."""
    words = " ".join(_SIGNS.sub(" ", message.lower()).replace("-", " ").split())
    for index, phrases in enumerate(LANGUAGES):
        patterns = _patterns(index)
        if words.count(" ") < _MOST_TALK:
            for talk in phrases.talk:
                if patterns[talk].fullmatch(words):
                    return Detected(Intent.TALK, phrases, talk)
        for name, intent in (("list_all", Intent.LIST_ALL), ("count", Intent.COUNT), ("newest", Intent.NEWEST)):
            if match := patterns[name].fullmatch(words):
                place = _first_group(match)
                return Detected(intent, phrases, place="" if patterns["everywhere"].fullmatch(place) else place)
        for name in ("of_kind", "about"):
            if match := patterns[name].fullmatch(words):
                topic = _first_group(match)
                if topic and topic not in phrases.open_words:
                    titled = name == "of_kind" or not patterns["documents"].search(words)
                    return Detected(Intent.MATCHING, phrases, topic=topic, titled=titled)
    if alone:
        for index, phrases in enumerate(LANGUAGES):
            if _is_vague(words, phrases, _patterns(index)["pointing"]):
                return Detected(Intent.VAGUE, phrases)
    return Detected(Intent.DOCUMENTS, LANGUAGES[0])


def _first_group(match: re.Match[str]) -> str:
    return next((value for value in match.groupdict().values() if value), "")


def _is_vague(words: str, phrases: Phrases, pointing: re.Pattern[str]) -> bool:
    """Whether nothing is named: words of asking alone, or a pointer with one other word ("how do I install it?")."""
    said = words.split()
    if not said or len(said) > _MOST_VAGUE:
        return not said
    named = [word for word in said if word not in phrases.open_words]
    if not named:
        return True
    known = len(said) - len(named)
    return (
        len(named) == 1 and known >= 2 and bool(pointing.search(words)) and not any(char.isdigit() for char in named[0])
    )
