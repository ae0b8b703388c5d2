"""Cuts a parsed document into passages that fit the embedder, along its structure. Pure functions.

Cuts fall at headings, then at blocks, sentences and words, in this order of preference; inside a word only where a
single word exceeds the whole budget. A section that needs several passages is cut into passages of about equal size,
so that no scrap is left at its end. A long one is cut into stretches first, where its own words say so (content-defined
chunking: Muthitacharoen et al., "A low-bandwidth network file system", SOSP 2001): an edit changes the passages of its
stretch, and none of those after it.
"""

from __future__ import annotations

import re
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from anchorage.model import BlockKind, Chunk, Page, ParsedDocument
from anchorage.text.sentences import find_sentence_spans

CHUNKER = "structure/2"

_HEADER_SHARE = 4  # title and headings take at most a quarter of the budget
_MERGE_SHARE = 3  # sections below a third of the budget are joined with the next
_LONG, _SHORTEST = 12, 3  # budgets of a stretch, at most and at least
_MARKED = 16  # one unit of so many is marked as a beginning
_TOKEN = 64  # characters that one token stands for at most
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class _Unit:
    """What is not cut: a sentence, a table row, a line of code, or less where that does not fit."""

    start: int
    end: int
    first_token: int
    last_token: int
    path: tuple[str, ...]

    @property
    def tokens(self) -> int:
        return self.last_token - self.first_token


@dataclass(frozen=True, slots=True)
class ChunkBudget:
    """Tokens of a passage, of the overlap with the passage before, and of the header put before its text."""

    tokens: int
    overlap: int

    def __post_init__(self) -> None:
        if self.tokens < 16 or not 0 <= self.overlap <= self.tokens // 2:
            raise ValueError("A passage needs at least 16 tokens, and an overlap of at most half of them.")


def chunk_document(document: ParsedDocument, token_starts: NDArray[np.int64], budget: ChunkBudget) -> list[Chunk]:
    """Cut the document; `token_starts` are the ascending offsets of its tokens.

    Every character but white space is in a chunk; `chunk.text == document.text[chunk.start:chunk.end]`.
    """
    bounded = _split_long_tokens(token_starts, len(document.text))
    tokens = np.ascontiguousarray(bounded).data  # looked up one by one, which numpy is slow at
    units = list(_split_into_units(document, tokens, budget.tokens))
    if len(bounded) > len(token_starts):
        units = _count_space_after(units)
    starts = [page.start for page in document.pages]
    chunks: list[Chunk] = []
    for section in _group_into_sections(units, budget.tokens):
        for stretch, first, last in _cut_into_passages(document.text, section, budget):
            start, end = stretch[first].start, stretch[last].end
            path = _find_common_path([unit.path for unit in stretch[first : last + 1]])
            page = _find_page(document.pages, starts, start)
            chunks.append(Chunk(len(chunks), document.text[start:end], start, end, page, path))
    return chunks


def _split_long_tokens(token_starts: NDArray[np.int64], end: int) -> NDArray[np.int64]:
    """A word that an embedder does not know is one token to it, with all the space after it: what is very long counts as several."""
    ends = np.append(token_starts[1:], end) if len(token_starts) else token_starts
    long = np.flatnonzero(ends - token_starts > _TOKEN)
    more = [np.arange(token_starts[item] + _TOKEN, ends[item], _TOKEN) for item in long]
    return np.sort(np.concatenate([token_starts, *more])) if more else token_starts


def _count_space_after(units: Sequence[_Unit]) -> list[_Unit]:
    """The same, and what lies between one and the next counts as the first one's."""
    ends = [max(unit.last_token, after.first_token) for unit, after in pairwise(units)]
    return [*(replace(unit, last_token=end) for unit, end in zip(units, ends, strict=False)), *units[-1:]]


def passage_header(title: str, heading_path: Sequence[str], limit: int = 160) -> str:
    """The line before a passage in both indexes: title, then headings, without repetition."""
    parts: list[str] = []
    for part in (title, *heading_path):
        if part and part not in parts:
            parts.append(part)
    header = " › ".join(parts)
    return header if len(header) <= limit else header[: limit - 1].rsplit(" ", 1)[0] + "…"


def passage_text(title: str, chunk: Chunk) -> str:
    """What is embedded and indexed for a chunk: the "recipe" of its index version."""
    header = passage_header(title, chunk.heading_path)
    return f"{header}\n{chunk.text}" if header else chunk.text


def body_budget(max_tokens: int, header_tokens: int) -> int:
    """Tokens left for the text when the embedder reads `max_tokens`, two of them its own marks."""
    return max(16, max_tokens - 2 - min(header_tokens, max_tokens // _HEADER_SHARE))


def _split_into_units(document: ParsedDocument, tokens: Sequence[int], budget: int) -> Iterator[_Unit]:
    path: list[tuple[int, str]] = []
    for start, end, kind, level in _list_blocks(document):
        if kind is BlockKind.HEADING:
            path = [entry for entry in path if entry[0] < level]
            path.append((level, " ".join(document.text[start:end].split())))
        names = tuple(name for _, name in path)
        for left, right in _split_block(document.text, start, end, kind):
            for lower, upper in _split_to_fit(document.text, left, right, tokens, budget):
                first = _find_token(document.text, tokens, lower)
                yield _Unit(lower, upper, first, max(bisect_left(tokens, upper, first), first + 1), names)


def _list_blocks(document: ParsedDocument) -> Iterator[tuple[int, int, BlockKind, int]]:
    """The blocks, with text that no block claims as paragraphs between them, so that nothing is lost."""
    at = 0
    for block in document.blocks:
        if document.text[at : block.start].strip():
            yield at, block.start, BlockKind.PARAGRAPH, 0
        if document.text[block.start : block.end].strip():
            yield block.start, block.end, block.kind, block.level
        at = block.end
    if document.text[at:].strip():
        yield at, len(document.text), BlockKind.PARAGRAPH, 0


def _split_block(text: str, start: int, end: int, kind: BlockKind) -> Iterator[tuple[int, int]]:
    if kind is BlockKind.CODE:
        for match in re.finditer(r"[^\n]+", text[start:end]):
            if match.group().strip():
                yield start + match.start(), start + match.end()
    elif kind in (BlockKind.HEADING, BlockKind.TABLE_ROW):
        yield start, end
    else:
        yield from find_sentence_spans(text, start, end)


def _split_to_fit(text: str, start: int, end: int, tokens: Sequence[int], budget: int) -> Iterator[tuple[int, int]]:
    """The span itself, or parts of it that fit: cut before the word that does not, or in a word longer than all."""
    if _count_tokens(text, tokens, start, end) <= budget:
        yield start, end
        return
    left = begin = start
    for match in _WORD.finditer(text, start, end):
        if _count_tokens(text, tokens, left, match.end()) > budget and match.start() > left:
            yield left, begin
            left = match.start()
        while _count_tokens(text, tokens, left, match.end()) > budget:
            cut = tokens[_find_token(text, tokens, left) + budget]
            yield left, cut
            left = cut
        begin = match.end()
    if left < begin:
        yield left, begin


def _count_tokens(text: str, tokens: Sequence[int], start: int, end: int) -> int:
    first = _find_token(text, tokens, start)
    return bisect_left(tokens, end, first) - first


def _find_token(text: str, tokens: Sequence[int], at: int) -> int:
    """The token that starts there, or the one that is cut in two there: what is left of it is a token of its own."""
    found = bisect_left(tokens, at)
    whole = found < len(tokens) and tokens[found] == at
    return found if whole or not found or text[at - 1 : at].isspace() else found - 1


def _group_into_sections(units: list[_Unit], budget: int) -> Iterator[list[_Unit]]:
    """Runs of units under one heading; a short section goes on into the next one while both fit together."""
    runs: list[list[_Unit]] = []
    for unit in units:
        if runs and runs[-1][-1].path == unit.path:
            runs[-1].append(unit)
        else:
            runs.append([unit])
    section: list[_Unit] = []
    for run in runs:
        size, total = _sum_tokens(section), _sum_tokens(section) + _sum_tokens(run)
        if (
            section
            and (size >= budget // _MERGE_SHARE or total > budget)
            and size > 0
            and not _has_only_headings(section)
        ):
            yield section
            section = []
        section = [*section, *run]
    if section:
        yield section


def _has_only_headings(section: list[_Unit]) -> bool:
    """Whether no text has come yet: a heading alone says nothing and goes with what follows it."""
    return all(unit.path and unit.path != other.path for unit, other in pairwise(section)) and len(section) <= len(
        section[-1].path
    )


def _sum_tokens(units: Sequence[_Unit]) -> int:
    return sum(unit.tokens for unit in units)


def _cut_into_passages(text: str, section: list[_Unit], budget: ChunkBudget) -> Iterator[tuple[list[_Unit], int, int]]:
    for stretch in _cut_into_stretches(text, section, budget.tokens):
        for first, last in _pack_units(stretch, budget):
            yield stretch, first, last


def _cut_into_stretches(text: str, section: list[_Unit], budget: int) -> Iterator[list[_Unit]]:
    """The section, or, if it is long, parts of it that begin with a unit whose own words mark it as a beginning."""
    if _sum_tokens(section) <= _LONG * budget:
        yield section
        return
    stretch: list[_Unit] = []
    size = 0
    for unit in section:
        marked = zlib.crc32(text[unit.start : unit.end].encode()) % _MARKED == 0
        if stretch and ((marked and size >= _SHORTEST * budget) or size >= _LONG * budget):
            yield stretch
            stretch, size = [], 0
        stretch.append(unit)
        size += unit.tokens
    if stretch:
        yield stretch


def _pack_units(units: list[_Unit], budget: ChunkBudget) -> Iterator[tuple[int, int]]:
    """Index pairs (first, last) of the units of each passage."""
    total = _sum_tokens(units)
    room = budget.tokens if total <= budget.tokens else budget.tokens - budget.overlap
    passages = -(-total // room)
    target = min(room, -(-total // passages))
    first = fresh = 0
    size = overlap = 0
    for number, unit in enumerate(units):
        if number > fresh and (size + overlap + unit.tokens > budget.tokens or size + unit.tokens // 2 > target):
            yield first, number - 1
            first, overlap = _find_overlap(units, number, fresh, min(budget.overlap, budget.tokens - unit.tokens))
            fresh, size = number, 0
        size += unit.tokens
    yield first, len(units) - 1


def _find_overlap(units: list[_Unit], number: int, lowest: int, room: int) -> tuple[int, int]:
    first, size = number, 0
    while first - 1 > lowest and size + units[first - 1].tokens <= room:
        first -= 1
        size += units[first].tokens
    return first, size


def _find_common_path(paths: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    common = paths[-1]
    for path in paths:
        if path == common:
            continue
        length = next(
            (i for i, (a, b) in enumerate(zip(common, path, strict=False)) if a != b), min(len(common), len(path))
        )
        common = common[:length]
    return common


def _find_page(pages: Sequence[Page], starts: Sequence[int], offset: int) -> int | None:
    if not pages:
        return None
    return pages[max(0, bisect_right(starts, offset) - 1)].number


def pages_between(pages: Sequence[Page], start: int, end: int) -> tuple[int, ...]:
    """The numbers of the pages that `start:end` touches."""
    starts = [page.start for page in pages]
    first = max(0, bisect_right(starts, start) - 1)
    return tuple(page.number for page in pages[first : max(first + 1, bisect_left(starts, end))])
