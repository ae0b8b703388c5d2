"""Reads judged questions, finds passages for them as the product does, and gives the features of the units in these passages.

A set is a file of JSON lines: `question`, `context` (a document's text), `title`, `spans` (offsets of the answers in the context; none where
it has no answer) and `sentence_level` (whether a span is what answers, and not the shortest piece of it).
"""

from __future__ import annotations

import json
import math
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorage.chat.quoting.asked import choose_analyser, is_in_other_language, read_question
from anchorage.chat.quoting.features import (
    MOST_EMBEDDED,
    MOST_EMBEDDED_BY_MEANING,
    add_cosines,
    compute_features,
    select_promising,
)
from anchorage.chat.quoting.reading import REACH, plan_window
from anchorage.chat.quoting.scale import ANSWERS, QUESTIONS, measure_scale
from anchorage.chat.quoting.units import Unit, split_into_units
from anchorage.model import Block, BlockKind, Hit
from anchorage.model.search import Surroundings
from anchorage.ports.embedder import Embedder
from anchorage.text.analyser import Analyser

PASSAGES, PASSAGE_CHARS = 6, 1800
_LONG_PARAGRAPH = 1400


@dataclass(frozen=True, slots=True)
class Judged:
    """A question with the features of its units, shape (units, features), and which of them answer it."""

    set: str
    article: str
    table: NDArray[np.float32]
    right: NDArray[np.bool_]
    absent: bool = False
    """Whether the document with the answer was left out on purpose."""
    other_language: bool = False
    """Whether the question is in another language than the documents."""


@dataclass(frozen=True, slots=True)
class _Passage:
    document: int
    start: int
    end: int


class _Corpus:
    """The documents of a set in passages, ranked by words and by meaning as retrieval does."""

    def __init__(self, documents: Sequence[tuple[str, str]], analyser: Analyser) -> None:
        self.documents = documents
        self.blocks = [list(_split_into_blocks(text)) for _, text in documents]
        self.passages = [passage for at in range(len(documents)) for passage in self._cut(at)]
        texts = [f"{documents[p.document][0]}\n{documents[p.document][1][p.start : p.end]}" for p in self.passages]
        self.texts, self._analyser = texts, analyser
        counts = [Counter(analyser.extract_terms(text)) for text in texts]
        lengths = np.array([sum(count.values()) for count in counts], dtype=np.float32)
        postings: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for at, count in enumerate(counts):
            for term, times in count.items():
                postings[term].append((at, times))
        norm = 1.2 * (0.25 + 0.75 * lengths / max(float(lengths.mean()), 1.0))
        self._weights: dict[str, tuple[NDArray[np.intp], NDArray[np.float32]]] = {}
        for term, found in postings.items():
            places = np.array([at for at, _ in found])
            times = np.array([times for _, times in found], dtype=np.float32)
            rarity = math.log(1 + (len(texts) - len(found) + 0.5) / (len(found) + 0.5))
            self._weights[term] = places, (rarity * times * 2.2 / (times + norm[places])).astype(np.float32)

    def _cut(self, at: int) -> Iterator[_Passage]:
        text, current = self.documents[at][1], None
        for block in self.blocks[at]:
            start = block.start
            while start < block.end:
                end = block.end
                if block.end - start > _LONG_PARAGRAPH:
                    end = text.rfind(". ", start + 400, start + 1000) + 1 or start + 1000
                if current and end - current.start <= PASSAGE_CHARS:
                    current = _Passage(at, current.start, end)
                else:
                    if current:
                        yield current
                    current = _Passage(at, start, end)
                start = end
                while start < block.end and text[start].isspace():
                    start += 1
        if current:
            yield current

    def score_words(self, question: str) -> NDArray[np.float32]:
        """BM25 of each passage."""
        scores = np.zeros(len(self.passages), dtype=np.float32)
        for term in set(self._analyser.extract_question_terms(question)):
            if term in self._weights:
                places, weights = self._weights[term]
                scores[places] += weights
        return scores

    def read_around(self, passage: _Passage) -> Surroundings:
        """What the product would read around it."""
        text, blocks = self.documents[passage.document][1], self.blocks[passage.document]
        window = plan_window(blocks, passage.start, passage.end, REACH)
        head = window.table_head
        return Surroundings(
            text[window.start : window.end],
            window.start,
            window.blocks,
            (),
            text[head.start : head.end] if head else "",
        )


def _split_into_blocks(text: str) -> Iterator[Block]:
    for found in re.finditer(r"(?:(?!\n\s*\n).)+", text, re.DOTALL):
        piece = found.group()
        start = found.start() + len(piece) - len(piece.lstrip())
        piece = piece.strip()
        lines = piece.split("\n")
        if len(lines) > 1 and all(" | " in line for line in lines):
            for line in lines:
                yield Block(BlockKind.TABLE_ROW, start, start + len(line))
                start += len(line) + 1
        elif piece:
            yield Block(BlockKind.PARAGRAPH, start, start + len(piece))


async def judge_questions(path: Path, most: int, embedder: Embedder, analyser: Analyser) -> list[Judged]:
    """Features of at most so many questions of a set, each once more with the document that answers it left out, for every other one."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    random.Random(1).shuffle(rows)
    rows = rows[:most]
    numbers: dict[tuple[str, str], int] = {}
    for row in rows:
        numbers.setdefault((row.get("title") or "", row["context"]), len(numbers))
    corpus = _Corpus(list(numbers), analyser)
    meanings = await embedder.embed_passages(corpus.texts)
    questions = [await embedder.embed_query(row["question"]) for row in rows]
    known = np.stack([await embedder.embed_query(question) for question in QUESTIONS])
    scale = measure_scale(known, await embedder.embed_passages(ANSWERS))
    found: list[tuple[dict[str, Any], NDArray[Any], list[Unit], Judged]] = []
    for number, (row, vector) in enumerate(zip(rows, questions, strict=True)):
        own = numbers[row.get("title") or "", row["context"]]
        near = meanings @ vector
        nearest = [corpus.texts[at] for at in np.argsort(-near)[:PASSAGES]]
        foreign = is_in_other_language(row["question"], nearest, analyser)
        words = near if foreign else corpus.score_words(row["question"])
        others = np.array([passage.document != own for passage in corpus.passages])
        for absent in (False, True) if row["spans"] and number % 2 else (False,):
            # Normalised over what is there: otherwise the scores would tell that the best passage is missing.
            there = np.flatnonzero(others) if absent else np.arange(len(corpus.passages))
            fused = np.zeros(len(near), dtype=np.float32)
            fused[there] = 0.5 * _normalise(near[there]) + 0.5 * _normalise(words[there])
            best = there[np.argsort(-fused[there])][:PASSAGES].tolist()
            most = MOST_EMBEDDED_BY_MEANING if foreign else MOST_EMBEDDED
            scored = [(at, float(fused[at]), float(near[at])) for at in best]
            units, table, right = _describe(row, own, scored, corpus, analyser, most)
            if len(units) and (right.any() or absent or not row["spans"]):
                judged = Judged(path.stem, row.get("title") or "", table, right, absent, foreign)
                found.append((row, vector, units, judged))
    texts = list(dict.fromkeys(_text_of(unit) for *_, units, _ in found for unit in units))
    vectors = dict(zip(texts, await embedder.embed_passages(texts), strict=True))
    for _, vector, units, judged in found:
        add_cosines(judged.table, np.stack([vectors[_text_of(unit)] for unit in units]) @ vector, scale)
    return [judged for *_, judged in found]


def _describe(
    row: dict[str, Any],
    own: int,
    best: Sequence[tuple[int, float, float]],
    corpus: _Corpus,
    analyser: Analyser,
    most: int,
) -> tuple[list[Unit], NDArray[np.float32], NDArray[np.bool_]]:
    hits, around = [], []
    for at, score, cosine in best:
        passage = corpus.passages[at]
        title, text = corpus.documents[passage.document]
        piece = text[passage.start : passage.end]
        hits.append(
            Hit(str(at), str(passage.document), "v", "c", title, title, passage.start, passage.end, score, piece, None, (), cosine, None)
        )  # fmt: skip
        around.append(corpus.read_around(passage))
    units = split_into_units(hits, around)
    reading = choose_analyser(row["question"], analyser)
    table = compute_features(read_question(row["question"], reading), units, reading)
    kept = select_promising(table, most).tolist()
    units = [units[at] for at in kept]
    right = np.array([_is_right(unit, own, row) for unit in units], dtype=bool)
    return units, table[kept], right


def _is_right(unit: Unit, own: int, row: dict[str, Any]) -> bool:
    start, end = unit.hit.start + unit.start, unit.hit.start + unit.end
    if int(unit.hit.document_id) != own:
        return False
    if row.get("sentence_level"):
        return any(min(end, last) - max(start, first) > max(0.5 * (end - start), 10) for first, last in row["spans"])
    return any(start <= first and last <= end for first, last in row["spans"])


def _text_of(unit: Unit) -> str:
    return " ".join(unit.text.split())[:1000]


def _normalise(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    low, high = np.sort(scores)[-min(100, len(scores))], scores.max()
    return np.clip((scores - low) / (high - low + 1e-9), 0, 1)
