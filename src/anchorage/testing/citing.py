"""Answers as a careless model writes them: quotations and paraphrases of the prompt's passages with right, wrong, missing or
swapped markers, and sentences among them that no passage supports. What is true of each sentence is known.
"""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from anchorage.text.sentences import find_sentence_spans

Markers = Literal["", "right", "wrong", "missing", "swapped", "mixed"]
MARKERS = get_args(Markers)

_PASSAGE = re.compile(r'<passage number="(\d+)"(?: title="([^"]*)")?[^>]*>\n(.*?)\n</passage>', re.DOTALL)
_QUESTION = re.compile(r"\nQuestion: (.*)\Z", re.DOTALL)
_ASIDE = re.compile(r"\s*\([^()]*\)")
_DIGITS = re.compile(r"\d[\d,]*")
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{3,}(?: [A-Z][a-z]{3,})*")
_VERB = re.compile(r"\b(is|was|are|were|has|had|can|will)\b(?! not)")
_SYNONYMS = dict(
    pair.split(":") for pair in (
        "began:started large:big often:frequently began:commenced many:numerous used:employed shows:demonstrates called:named people:persons "
        "important:significant major:principal during:throughout several:various became:turned known:recognised area:region "
        "significantly:markedly studies:investigations increased:raised results:findings including:comprising"
    ).split()
)  # fmt: skip
_STRANGERS = (
    "The committee met on a rainy Tuesday in Ljubljana to discuss bicycle lanes.",
    "Its founder later opened a bakery that sold cinnamon rolls to sailors.",
    "Experts agree that this was the most profitable quarter of the shipping company.",
    "A second volume with coloured maps was printed in Antwerp for wealthy collectors.",
)
_NAMES = ("Zanzibar", "Montevideo", "Petrovich", "Okonkwo", "Reykjavik")


@dataclass(frozen=True, slots=True)
class MadeSentence:
    """One sentence of an answer; `passage` is the number of the one that says so (None: none does), `source` its sentence."""

    text: str
    passage: int | None
    source: str
    marker: int | None


@dataclass(frozen=True, slots=True)
class MadeAnswer:
    text: str
    sentences: Sequence[MadeSentence]


def write_cited_answer(messages: Sequence[Mapping[str, Any]], markers: Markers) -> MadeAnswer:
    """The answer to these messages; the same for the same messages."""
    prompt = str(messages[-1].get("content") or "")
    passages = [(int(number), title, body) for number, title, body in _PASSAGE.findall(prompt)]
    question = found.group(1) if (found := _QUESTION.search(prompt)) else prompt
    rng = random.Random(zlib.crc32(f"{question}{markers}".encode("utf-8", "replace")))
    true = _write_true_sentences(question, passages, rng)
    if not true:
        return MadeAnswer("There is no passage in this prompt.", ())
    made = [*true, *_write_untrue_sentences(true, rng)]
    rng.shuffle(made)
    marked = _add_markers(made, [number for number, _, _ in passages], markers, rng)
    text = " ".join(
        f"{item.text[:-1]} [{item.marker}]{item.text[-1]}" if item.marker is not None else item.text for item in marked
    )
    return MadeAnswer(text, marked)


def _write_true_sentences(
    question: str, passages: Sequence[tuple[int, str, str]], rng: random.Random
) -> list[MadeSentence]:
    asked = set(re.findall(r"\w{4,}", question.lower()))
    best = []
    for number, title, body in passages:
        sentences = [body[start:end] for start, end in find_sentence_spans(body)]
        whole = [text for text in sentences if text[-1] in ".!?" and 40 <= len(text) <= 400 and "\n" not in text]
        if whole:
            text = max(whole, key=lambda item: len(asked & set(re.findall(r"\w{4,}", item.lower()))))
            best.append((number, title, text))
    chosen = rng.sample(best, min(len(best), 2))
    return [MadeSentence(_paraphrase(text, title, rng), number, text, None) for number, title, text in chosen]


def _paraphrase(text: str, title: str, rng: random.Random) -> str:
    way = rng.randrange(5)
    if way == 1:
        text = _ASIDE.sub("", text)
    if way in (1, 2, 3):
        text = re.sub(r"[a-z]+", lambda match: _SYNONYMS.get(match.group(), match.group()), text)
    if way == 3 and re.match(r"(?:He|She|It|They) ", text) and title:
        text = f"{title} {text.partition(' ')[2]}"
    if way == 4:
        first, comma, rest = text[:-1].partition(", ")
        if comma and len(rest.split()) > 4 and len(first.split()) > 4 and rest.split()[0] in ("which", "and", "but"):
            text = f"{first}."  # the first clause of a sentence is true where the whole is
    return text


def _write_untrue_sentences(true: Sequence[MadeSentence], rng: random.Random) -> list[MadeSentence]:
    """Sentences that are near the true ones and say otherwise, or that are about something else."""
    source = rng.choice(true).source
    numbers, names, verbs = _DIGITS.search(source), _NAME.search(source), _VERB.search(source)
    ways = [rng.choice(_STRANGERS)]
    if numbers:
        value = int(numbers.group().replace(",", "")[:9] or 0)
        ways.append(f"{source[: numbers.start()]}{value + rng.randrange(3, 40)}{source[numbers.end() :]}")
    if names:
        ways.append(f"{source[: names.start()]}{rng.choice(_NAMES)}{source[names.end() :]}")
    if verbs:
        ways.append(f"{source[: verbs.end()]} not{source[verbs.end() :]}")
    return [MadeSentence(rng.choice(ways), None, source, None)]


def _add_markers(
    made: Sequence[MadeSentence], numbers: Sequence[int], markers: Markers, rng: random.Random
) -> list[MadeSentence]:
    true = [item.passage for item in made if item.passage is not None]
    turned = dict(zip(true, [*true[1:], *true[:1]], strict=True))
    found = []
    for item in made:
        way = rng.choice(("right", "wrong", "missing", "swapped")) if markers == "mixed" else markers
        right = item.passage if item.passage is not None else rng.choice(numbers)
        others = [number for number in (*numbers, 77) if number != right]
        marker = {"right": right, "wrong": rng.choice(others), "swapped": turned.get(right, right)}.get(way)
        found.append(MadeSentence(item.text, item.passage, item.source, marker))
    return found
