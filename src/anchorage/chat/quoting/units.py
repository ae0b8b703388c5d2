"""units: what can be quoted as an answer: a sentence, a list with its introduction, a row of a table, a line of a form, code.

A unit is what a reader would point at. Rules of a page, references, tables of contents, headings without a number, and questions
are no units.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from anchorage.chat.quoting.prose import Kind, classify_spans
from anchorage.model import Block, BlockKind, Hit
from anchorage.model.search import Surroundings
from anchorage.text.sentences import find_statement_spans

MAX_UNIT_CHARS = 300
"""In a longer one the reader must search again. Sentences and code that are longer stay whole, lists are quoted item by item."""
_MAX_CODE_CHARS = 900
_MAX_LIST_CHARS = 3000
_MAX_LEAD_CHARS = 240
_BULLET = re.compile(r"[ \t]*(?:[-*•‣◦▪●+]|\(?\d{1,3}[.)])[ \t]+\S")
_NUMBERED_INLINE = re.compile(r"(?<=[.;:] )(?=\d{1,2}[.)] [A-ZÀ-Þ])")
_KEYED = re.compile(r"[^\s:][^:]{0,40}:\s*\S")
_ENDS = (".", "?", "!", ",", ";", "…", "。", "”", '"', "’")
_LOOKED_AT = 200  # characters of a unit that show what it is
_RULE = re.compile(r"[\W_]*\Z")
_RULE_AROUND = re.compile(r"\A[-=_*~#.\s]{6,}|(?<![-=_*~#\s])[-=_*~#\s]{6,}+\Z")
_CONTACT = re.compile(r"[(+]?\d(?:[\s().+/-]{0,2}\d){6,14}")  # a telephone number on a line of its own
_FURNITURE = re.compile(
    r"(?:page|seite|página) \d+(?: (?:of|von|de|sur) \d+)?|\d{1,4}|www\.\S+|https?://\S+|copyright .*|all rights reserved.*|"
    r"(?:table of )?contents|inhalt(?:sverzeichnis)?|sommaire|índice",
    re.IGNORECASE,
)
_DIRECTIVE = re.compile(r":{2,}|\.\. |!!! |<!--|\{%|/// ?|\(\w[\w-]*\)=$|\{\w+\}|\[\^?\w+\]: ")
_REFERENCE = re.compile(
    r"\[?\d{1,3}[.\]]\s+(?=.*(?:https?://|doi:|\bpp?\. ?\d|\bISBN\b|\(\d{4}\)|\bRetrieved\b|\bArchived\b|\bet al\b)).*|"
    r".*\((?:https?://|www\.)[^)]*\)\.?\Z|.*\b(?:doi:|arXiv:|ISBN )\S+.*|.*\bRetrieved from \S+.*|.*\(\d{4}\)\. ?",
    re.IGNORECASE | re.DOTALL,
)
_TELLS = re.compile(
    r"\W*(?:did you know|w(?:usst|eiß)\w* (?:sie|du|ihr)|saviez-vous|sab(?:ías|ía usted|es)) ", re.IGNORECASE
)
_LEADER = re.compile(r".*(?:\.\s?){4,}\s*\d*\s*\Z", re.DOTALL)


class UnitKind(StrEnum):
    """What a unit is."""

    SENTENCE = "sentence"
    LIST = "list"
    ITEM = "item"
    ROW = "row"
    LINE = "line"
    CODE = "code"
    HEADING = "heading"


@dataclass(frozen=True, slots=True)
class Unit:
    """`hit.text[start:end]`: the hit is the passage with what stands around it, at the position `place` of the ranking."""

    hit: Hit
    place: int
    start: int
    end: int
    kind: UnitKind
    path: tuple[str, ...] = ()
    """The document's title and the headings above."""
    lead: str = ""
    """What introduces it: the sentence before a list, the head of a table, the line before."""
    group: int = -1
    """The place of its list or table in the document; those of one list have the same."""
    parts: tuple[tuple[int, int], ...] = ()
    """Of a list: the spans of its items in `hit.text`."""
    inside: bool = True
    """Whether it is in the passage that was found, not in what stands around it."""

    @property
    def text(self) -> str:
        return self.hit.text[self.start : self.end]


@dataclass(slots=True)
class _Reader:
    """Reads the blocks of a passage's surroundings, one after another."""

    hit: Hit
    place: int
    found: Surroundings
    bounds: tuple[int, int]
    """Of the passage itself."""
    units: list[Unit]
    headings: list[tuple[int, str]]
    lead: tuple[int, int] | None = None
    outer: tuple[int, int] | None = None
    """What introduces several lists, each with its own introduction."""
    nested: list[tuple[int, int]] | None = None
    """The items of those lists so far."""
    head: str = ""
    """The first row of the table that is being read."""
    group: int = -1

    def add(self, start: int, end: int, kind: UnitKind, lead: str = "", parts: Sequence[tuple[int, int]] = ()) -> None:
        """Add a unit, unless it cannot be an answer. Offsets are the document's."""
        base = self.found.start
        for rule in _RULE_AROUND.finditer(self.text(start, end)) if kind is UnitKind.SENTENCE else ():
            if rule.start() == 0 and rule.end() == end - start:
                return
            start, end = (start + rule.end(), end) if rule.start() == 0 else (start, start + rule.start())
        unit = Unit(
            self.hit, self.place, start - base, end - base, kind,
            (self.hit.title, *(text for _, text in self.headings)), lead, self.group,
            tuple((first - base, last - base) for first, last in parts), start < self.bounds[1] and end > self.bounds[0],
        )  # fmt: skip
        if not _says_nothing(" ".join(unit.text.split()), kind):
            self.units.append(unit)

    def text(self, start: int, end: int) -> str:
        base = self.found.start
        return self.found.text[start - base : end - base]


def split_into_units(hits: Sequence[Hit], surroundings: Sequence[Surroundings | None]) -> list[Unit]:
    """Return the units of the hits, best passage first. Each span of a document counts once, also in a copy of the document."""
    seen: set[tuple[str, int, int, str]] = set()
    units = []
    for place, (hit, found) in enumerate(zip(hits, surroundings, strict=True)):
        around = found or Surroundings(
            hit.text, hit.start, (Block(BlockKind.PARAGRAPH, hit.start, hit.end),), hit.heading_path
        )
        for unit in _read_units(hit, place, around):
            key = (hit.version, unit.hit.start + unit.start, unit.hit.start + unit.end, unit.text)
            if key not in seen:
                seen.add(key)
                units.append(unit)
    return units


def _read_units(hit: Hit, place: int, found: Surroundings) -> list[Unit]:
    whole = replace(hit, text=found.text, start=found.start, end=found.start + len(found.text))
    headings = [(at, text) for at, text in enumerate(found.heading_path, 1)]
    reader = _Reader(whole, place, found, (hit.start, hit.end), [], headings)
    blocks = found.blocks
    at = 0
    while at < len(blocks):
        block = blocks[at]
        if reader.outer and not _goes_on(reader, blocks, at):
            _end_lists(reader)
        if block.kind is BlockKind.HEADING:
            _read_heading(reader, block)
            at += 1
        elif block.kind is BlockKind.LIST_ITEM:
            items = _run(blocks, at, BlockKind.LIST_ITEM)
            _read_list(reader, [(item.start, item.end) for item in items])
            at += len(items)
        elif block.kind is BlockKind.TABLE_ROW:
            rows = _run(blocks, at, BlockKind.TABLE_ROW)
            _read_table(reader, rows)
            at += len(rows)
        elif block.kind is BlockKind.CODE:
            _read_code(reader, block)
            at += 1
        else:
            follows = blocks[at + 1].kind if at + 1 < len(blocks) else None
            _read_paragraph(reader, block, follows)
            at += 1
    _end_lists(reader)
    return reader.units


def _goes_on(reader: _Reader, blocks: Sequence[Block], at: int) -> bool:
    """Whether this block is one of several lists, or introduces one."""
    block = blocks[at]
    if block.kind is BlockKind.LIST_ITEM:
        return True
    follows = at + 1 < len(blocks) and blocks[at + 1].kind is BlockKind.LIST_ITEM
    return (
        follows
        and block.kind is BlockKind.PARAGRAPH
        and reader.text(block.start, block.end).rstrip().endswith((":", "："))
    )


def _end_lists(reader: _Reader) -> None:
    """Add the lists that one sentence introduces as one, where there are several."""
    outer, items = reader.outer, reader.nested or []
    reader.outer = reader.nested = None
    if outer and items and items[-1][1] - outer[0] <= _MAX_LIST_CHARS:
        lead = " ".join(reader.text(*outer).split())[-_MAX_LEAD_CHARS:]
        reader.group = outer[0]
        reader.add(outer[0], items[-1][1], UnitKind.LIST, lead, items)
        reader.group = -1


def _run(blocks: Sequence[Block], at: int, kind: BlockKind) -> Sequence[Block]:
    end = at
    while end < len(blocks) and blocks[end].kind is kind:
        end += 1
    return blocks[at:end]


def _read_heading(reader: _Reader, block: Block) -> None:
    text = " ".join(reader.text(block.start, block.end).split())
    while reader.headings and reader.headings[-1][0] >= max(block.level, 1):
        reader.headings.pop()
    if any(char.isdigit() for char in text):
        reader.add(block.start, block.end, UnitKind.HEADING)  # a version with its date, a number with its name
    reader.headings.append((max(block.level, 1), text))
    reader.lead = (block.start, block.end)
    reader.head = ""


def _read_list(reader: _Reader, items: Sequence[tuple[int, int]]) -> None:
    start, end = items[0][0], items[-1][1]
    lead = ""
    if reader.lead is not None:
        lead = " ".join(reader.text(*reader.lead).split())[-_MAX_LEAD_CHARS:]
        start = reader.lead[0]
    reader.group = items[0][0]
    if reader.nested is not None:
        reader.nested += items
    if len(items) > 1 and end - start <= _MAX_LIST_CHARS:
        reader.add(start, end, UnitKind.LIST, lead, items)
    for first, last in items:
        spans = list(_statement_spans(reader, first, last))
        if spans and last - first <= MAX_UNIT_CHARS:
            reader.add(spans[0][0], spans[-1][1], UnitKind.ITEM, lead)
        else:
            for one in spans:
                reader.add(*one, UnitKind.ITEM, lead)
    reader.group, reader.lead = -1, None


def _read_table(reader: _Reader, rows: Sequence[Block]) -> None:
    if not reader.head:
        reader.head = reader.found.table_head or reader.text(rows[0].start, rows[0].end)
    reader.group = rows[0].start
    for row in rows:
        text = reader.text(row.start, row.end)
        if " | " not in text and len(text) > MAX_UNIT_CHARS:  # a table that only lays out a page
            _add_statements(reader, row, list(_statement_spans(reader, row.start, row.end)))
        elif text != reader.head:
            reader.add(row.start, row.end, UnitKind.ROW, " ".join(reader.head.split()))
    reader.group, reader.lead = -1, None


def _read_code(reader: _Reader, block: Block) -> None:
    start = block.start
    lead = ""
    if reader.lead is not None and reader.lead[0] >= reader.found.start:
        lead = " ".join(reader.text(*reader.lead).split())
        if not (reader.headings and lead == reader.headings[-1][1]):
            start = reader.lead[0]
    if block.end - start <= _MAX_CODE_CHARS:
        reader.add(start, block.end, UnitKind.CODE, lead)
    reader.lead = None


def _read_paragraph(reader: _Reader, block: Block, follows: BlockKind | None) -> None:
    text = reader.text(block.start, block.end)
    lines = _line_spans(text, block.start)
    bulleted = [bool(_BULLET.match(text, start - block.start)) for start, _ in lines]
    if sum(bulleted) > 1:
        _read_bulleted(reader, block, lines, bulleted)
    elif is_form([reader.text(*line) for line in lines]):
        before = ""
        for line in lines:
            reader.add(*line, UnitKind.LINE, before)
            before = reader.text(*line).strip()
        reader.lead = None
    else:
        spans = [part for span in _statement_spans(reader, block.start, block.end) for part in _cut_long(reader, span)]
        last = spans[-1] if spans else None
        announces = last is not None and reader.text(*last).rstrip().endswith((":", "："))
        if announces and reader.lead is not None and reader.text(*reader.lead).rstrip().endswith((":", "：")):
            reader.outer, reader.nested = reader.lead, []
        listed = follows in (BlockKind.CODE, BlockKind.LIST_ITEM)
        # What announces a list or code is quoted with it.
        _add_statements(reader, block, spans[:-1] if announces and listed else spans)
        reader.lead = last if announces or listed else None
    reader.head = ""


def _add_statements(reader: _Reader, block: Block, spans: Sequence[tuple[int, int]]) -> None:
    """Add the statements of a paragraph; code and commands that were not marked as such are code."""
    text = reader.text(block.start, block.end)
    inner = [(start - block.start, end - block.start) for start, end in spans]
    before = ""
    for span, kind in zip(spans, classify_spans(text, inner, True), strict=True):
        if kind is Kind.CODE:
            reader.add(*span, UnitKind.CODE, before)
        elif kind is Kind.PROSE or span[1] - span[0] > MAX_UNIT_CHARS or len(spans) == 1:
            reader.add(*span, UnitKind.SENTENCE, before if before.endswith((":", "：")) else "")
        before = " ".join(reader.text(*span).split())


def _read_bulleted(reader: _Reader, block: Block, lines: Sequence[tuple[int, int]], bulleted: Sequence[bool]) -> None:
    """Read a paragraph that has lists in it, as plain text and PDF pages do."""
    at = 0
    while at < len(lines):
        if not bulleted[at]:
            end = at
            while end < len(lines) and not bulleted[end]:
                end += 1
            part = Block(BlockKind.PARAGRAPH, lines[at][0], lines[end - 1][1])
            _read_paragraph(reader, part, BlockKind.LIST_ITEM if end < len(lines) else None)
            at = end
            continue
        items: list[tuple[int, int]] = []
        while at < len(lines) and (
            bulleted[at] or (items and not reader.text(*lines[at - 1]).rstrip().endswith(_ENDS))
        ):
            if bulleted[at]:
                items.append(lines[at])
            else:
                items[-1] = (items[-1][0], lines[at][1])
            at += 1
        _read_list(reader, items)


def _line_spans(text: str, base: int) -> list[tuple[int, int]]:
    """The lines that say something, without the white space around them."""
    found, at = [], 0
    for line in text.split("\n"):
        bare = line.strip()
        if bare and not _RULE.match(bare):
            start = at + len(line) - len(line.lstrip())
            found.append((base + start, base + start + len(bare)))
        at += len(line) + 1
    return found


def is_form(lines: Sequence[str]) -> bool:
    """Whether the lines of a paragraph are those of a form or a receipt, not of a text that was wrapped."""
    if len(lines) < 2:
        return False
    keyed = sum(bool(_KEYED.match(line)) for line in lines)
    if keyed >= max(2, len(lines) / 2):
        return True
    longest = max(len(line) for line in lines)
    short = sum(len(line) < 60 for line in lines[:-1])
    ended = sum(line.rstrip().endswith(_ENDS) for line in lines)
    begun = sum(line[:1].isupper() or not line[:1].isalpha() for line in lines)
    rest = len(lines) - 1
    return longest < 75 and short >= 0.7 * rest and begun >= 0.7 * len(lines) and ended <= 0.3 * len(lines)


def _statement_spans(reader: _Reader, start: int, end: int) -> Iterator[tuple[int, int]]:
    for left, right in find_statement_spans(reader.text(start, end)):
        at = start + left
        for cut in _NUMBERED_INLINE.finditer(reader.text(start + left, start + right)):
            yield at, start + left + len(reader.text(start + left, start + left + cut.start()).rstrip())
            at = start + left + cut.start()
        yield at, start + right


def _cut_long(reader: _Reader, span: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """A long stretch without a full stop that has many short lines is not one sentence: an information box, a title page."""
    text = reader.text(*span)
    lines = _line_spans(text, span[0])
    if (
        len(text) <= MAX_UNIT_CHARS
        or len(lines) < 4
        or sum(len(reader.text(*line)) < 60 for line in lines) < 0.6 * len(lines)
    ):
        yield span
        return
    joined: list[tuple[int, int]] = []
    for line in lines:
        if joined and reader.text(*line)[:1].islower():  # a sentence that goes on
            joined[-1] = (joined[-1][0], line[1])
        else:
            joined.append(line)
    yield from joined


def _says_nothing(text: str, kind: UnitKind) -> bool:
    """Whether this is never an answer."""
    if kind is UnitKind.LINE and _CONTACT.fullmatch(text):
        return False
    if kind is not UnitKind.ROW and not any(char.isalpha() for char in text):
        return not any(char.isdigit() for char in text) or kind not in (UnitKind.ITEM, UnitKind.HEADING)
    if _FURNITURE.fullmatch(text) or (_DIRECTIVE.match(text) and len(text) < _LOOKED_AT):
        return True
    if kind in (UnitKind.SENTENCE, UnitKind.LINE, UnitKind.ITEM):
        return bool(_REFERENCE.fullmatch(text[:_LOOKED_AT]) or _LEADER.match(text[-_LOOKED_AT:])) or (
            text.endswith(("?", "？")) and not _TELLS.match(text)
        )
    return False
