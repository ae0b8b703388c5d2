import type { Block, Page } from '@/api/types';
import type { Span } from '@/text/codepoints';

/** A part of a text that is drawn as one: a paragraph, or a piece of a long one. Offsets in units of the string. */
export interface Segment extends Span {
  /** The number of the page that begins here. */
  page: number | null;
  /** What it is, where it is no paragraph. */
  kind: Block['kind'] | null;
  level: number;
}

const LONGEST = 1500; // units

/** Cuts a text into its blocks and paragraphs, none of them very long, and at the beginnings of its pages (all in units). */
export function segmentsOf(text: string, pages: readonly Page[], blocks: readonly Block[] = []): Segment[] {
  const segments: Segment[] = [];
  const begins = new Map(pages.map((page) => [page.start, page.page]));
  const known = new Map(blocks.map((block) => [block.start, block]));
  const places = [...begins.keys(), ...blocks.flatMap((block) => [block.start, block.end])];
  const cuts = places.filter((start) => start > 0 && start < text.length);
  const edges = [...new Set([...cuts, text.length])].sort((a, b) => a - b);
  let block: Block | null = null;
  let from = 0;
  for (const edge of edges) {
    let page = begins.get(from) ?? null;
    block = known.get(from) ?? (block && from < block.end ? block : null);
    for (const part of block?.kind === 'code' ? pieces(text, from, edge) : paragraphs(text, from, edge)) {
      // Between two blocks there is often nothing but the end of a line.
      if (blocks.length > 0 && text.slice(part.start, part.end).trim() === '') continue;
      segments.push({ ...part, page, kind: block?.kind ?? null, level: block?.level ?? 0 });
      page = null;
    }
    from = edge;
  }
  return segments;
}

function* paragraphs(text: string, from: number, to: number): Generator<Span> {
  let start = from;
  while (start < to) {
    const blank = text.indexOf('\n\n', start);
    let end = blank < 0 || blank + 2 > to ? to : blank + 2;
    if (end - start > LONGEST) end = cutBefore(text, start, start + LONGEST);
    yield { start, end };
    start = end;
  }
}

/** Code, which has empty lines of its own. */
function* pieces(text: string, from: number, to: number): Generator<Span> {
  let start = from;
  while (start < to) {
    const end = to - start > LONGEST ? cutBefore(text, start, start + LONGEST) : to;
    yield { start, end };
    start = end;
  }
}

/** A place to cut, at a line's end or a space where there is one, and never inside a character. */
function cutBefore(text: string, start: number, limit: number): number {
  const line = text.lastIndexOf('\n', limit - 1);
  if (line > start + LONGEST / 3) return line + 1;
  const space = text.lastIndexOf(' ', limit - 1);
  if (space > start + LONGEST / 3) return space + 1;
  const unit = text.charCodeAt(limit - 1);
  return unit >= 0xd800 && unit < 0xdc00 ? limit - 1 : limit;
}

const BETWEEN_CELLS = ' | ';

/** The cells of a row of a table. */
export function cellsOf(text: string, start: number, end: number): Span[] {
  const cells: Span[] = [];
  let from = start;
  for (;;) {
    const next = text.indexOf(BETWEEN_CELLS, from);
    if (next < 0 || next >= end) return [...cells, { start: from, end }];
    cells.push({ start: from, end: next });
    from = next + BETWEEN_CELLS.length;
  }
}

/** The segment in which an offset lies. */
export function segmentAt(segments: readonly Segment[], offset: number): number {
  let low = 0;
  let high = segments.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((segments[middle]?.start ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}
