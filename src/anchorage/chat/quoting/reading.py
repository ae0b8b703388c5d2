"""reading: what stands around the passages that were found, so that they are read with their lists, tables and sections."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from anchorage.chat.quoting.tables.table import Table, parse_lines, parse_rows
from anchorage.model import Block, BlockKind, Hit, Principal
from anchorage.model.search import Span, Surroundings
from anchorage.ports.catalog import Catalog

REACH = 1200
"""Characters that are read before and after a passage."""
_MAX_TABLE_CHARS = 200_000  # of a table that is computed over
_MAX_DOCUMENT_CHARS = 60_000  # of a document that is summarised
_CAPTION_CHARS = 200
_KEPT_BLOCKS = 200_000  # blocks of documents that are remembered, about 100 bytes each


@dataclass(frozen=True, slots=True)
class Window:
    """What to read around a passage. Spans are the document's."""

    start: int
    end: int
    blocks: Sequence[Block]
    headings: Sequence[Block]
    """Those above the first block."""
    table_head: Block | None
    """The first row of the table in the middle of which the window begins."""


def plan_window(blocks: Sequence[Block], start: int, end: int, reach: int = REACH) -> Window:
    """Return what to read around the passage from `start` to `end`.

    Blocks that do not fit are cut where the passage begins or ends, which is between two sentences.
    """
    low, high = start - reach, end + reach
    first = bisect_right(blocks, low, key=lambda block: block.end)
    last = bisect_left(blocks, high, key=lambda block: block.start)
    inside = []
    for block in blocks[first:last]:
        cut = replace(
            block,
            start=block.start if block.start >= low else max(block.start, start),
            end=block.end if block.end <= high else min(block.end, end),
        )
        if cut.start < cut.end:
            inside.append(cut)
    if not inside:
        return Window(start, end, (Block(BlockKind.PARAGRAPH, start, end),), (), None)
    headings: list[Block] = []
    for block in blocks[:first]:
        if block.kind is BlockKind.HEADING:
            headings = [*(above for above in headings if above.level < block.level), block]
    head = first
    while head > 0 and blocks[head].kind is blocks[head - 1].kind is BlockKind.TABLE_ROW:
        head -= 1
    in_table = blocks[first].kind is BlockKind.TABLE_ROW and head < first
    return Window(inside[0].start, inside[-1].end, inside, headings, blocks[head] if in_table else None)


@dataclass(frozen=True, slots=True)
class TablePlace:
    """Where a table is: the rows of one, or a paragraph whose lines may be one."""

    start: int
    end: int
    rows: Sequence[Block]

    def parse(self, text: str, caption: str) -> list[Table]:
        """Read the table's text."""
        if self.rows:
            rows = [(row.start, row.end, text[row.start - self.start : row.end - self.start]) for row in self.rows]
            table = parse_rows(rows, caption=caption)
            return [table] if table else []
        lines, at = [], self.start
        for line in text.split("\n"):
            if line.strip():
                lines.append((at, at + len(line.rstrip()), line.strip()))
            at += len(line) + 1
        return parse_lines(lines, caption)


def find_tables(blocks: Sequence[Block], start: int, end: int) -> list[TablePlace]:
    """Return the tables, and the paragraphs of several lines, that a passage from `start` to `end` has a part of."""
    places = []
    at = bisect_right(blocks, start, key=lambda block: block.end)
    while at < len(blocks) and blocks[at].start < end:
        if blocks[at].kind is BlockKind.TABLE_ROW:
            first = last = at
            while (
                first > 0 and blocks[first - 1].kind is BlockKind.TABLE_ROW and _touch(blocks[first - 1], blocks[first])
            ):
                first -= 1
            while (
                last + 1 < len(blocks)
                and blocks[last + 1].kind is BlockKind.TABLE_ROW
                and _touch(blocks[last], blocks[last + 1])
            ):
                last += 1
            rows = blocks[first : last + 1]
            places.append(TablePlace(rows[0].start, rows[-1].end, rows))
            at = last
        elif blocks[at].kind is BlockKind.PARAGRAPH:
            places.append(TablePlace(blocks[at].start, blocks[at].end, ()))
        at += 1
    return places


def _touch(one: Block, other: Block) -> bool:
    """Whether two rows are of one table: nothing but the end of a line is between them."""
    return other.start - one.end <= 2


class PassageReader:
    """Reads around passages, and remembers the blocks of the documents that were read last."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._kept: OrderedDict[tuple[str, str], Sequence[Block]] = OrderedDict()

    async def read_around(self, principal: Principal, hits: Sequence[Hit]) -> list[Surroundings | None]:
        """Return what stands around each of these; None for one that has gone meanwhile."""
        structures = await self._read_structures(principal, [(hit.document_id, hit.version) for hit in hits])
        spans: list[Span] = []
        windows: list[Window | None] = []
        for hit in hits:
            blocks = structures.get((hit.document_id, hit.version))
            window = plan_window(blocks, hit.start, hit.end) if blocks else None
            windows.append(window)
            if window is not None:
                head = [window.table_head] if window.table_head else []
                spans.append(Span(hit.document_id, hit.version, window.start, window.end))
                spans += [
                    Span(hit.document_id, hit.version, block.start, block.end) for block in (*window.headings, *head)
                ]
        read = iter(await self._catalog.excerpts(principal, spans, 0)) if spans else iter(())
        found: list[Surroundings | None] = []
        for window in windows:
            if window is None:
                found.append(None)
                continue
            body, *headings = [next(read) for _ in range(1 + len(window.headings))]
            head_text = next(read) if window.table_head else None
            found.append(
                Surroundings(
                    body.quote, window.start, window.blocks,
                    [" ".join(heading.quote.split()) for heading in headings if heading], head_text.quote if head_text else "",
                )
                if body
                else None
            )  # fmt: skip
        return found

    async def read_document(self, principal: Principal, hit: Hit) -> Surroundings | None:
        """Return the beginning of a hit's document, up to what is read of one at most."""
        structures = await self._read_structures(principal, [(hit.document_id, hit.version)])
        blocks = [
            block for block in structures.get((hit.document_id, hit.version), ()) if block.end <= _MAX_DOCUMENT_CHARS
        ]
        if not blocks:
            return None
        (read,) = await self._catalog.excerpts(principal, [Span(hit.document_id, hit.version, 0, blocks[-1].end)], 0)
        return Surroundings(read.quote, 0, blocks) if read else None

    async def read_tables(self, principal: Principal, hits: Sequence[Hit]) -> list[tuple[Hit, Table]]:
        """Return the tables that the passages are from, whole, each with its passage, which has the table as its text."""
        structures = await self._read_structures(principal, [(hit.document_id, hit.version) for hit in hits])
        found: dict[tuple[str, str, int], tuple[Hit, TablePlace]] = {}
        for hit in hits:
            for place in find_tables(structures.get((hit.document_id, hit.version), ()), hit.start, hit.end):
                if place.end - place.start <= _MAX_TABLE_CHARS:
                    found.setdefault((hit.document_id, hit.version, place.start), (hit, place))
        spans = [Span(hit.document_id, hit.version, place.start, place.end) for hit, place in found.values()]
        read = await self._catalog.excerpts(principal, spans, _CAPTION_CHARS) if spans else []
        tables = []
        for (hit, place), excerpt in zip(found.values(), read, strict=True):
            if excerpt is not None:
                whole = replace(hit, text=excerpt.quote, start=place.start, end=place.end)
                caption = " ".join((hit.title, *hit.heading_path, excerpt.prefix))
                tables += [(whole, table) for table in place.parse(excerpt.quote, caption)]
        return tables

    async def _read_structures(
        self, principal: Principal, versions: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], Sequence[Block]]:
        wanted = list(dict.fromkeys(versions))
        if missing := [version for version in wanted if version not in self._kept]:
            self._kept.update(await self._catalog.structures(principal, missing))
        found = {version: self._kept[version] for version in wanted if version in self._kept}
        for version in found:
            self._kept.move_to_end(version)
        while len(self._kept) > 1 and sum(map(len, self._kept.values())) > _KEPT_BLOCKS:
            self._kept.popitem(last=False)
        return found
