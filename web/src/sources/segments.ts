import type { Page } from '@/api/types';
import type { Span } from '@/text/codepoints';

/** A part of a text that is drawn as one: a paragraph, or a piece of a long one. Offsets in units of the string. */
export interface Segment extends Span {
  /** The number of the page that begins here. */
  page: number | null;
}

const LONGEST = 1500; // units

/** Cuts a text into paragraphs, none of them very long, and at the beginnings of its pages (in units, too). */
export function segmentsOf(text: string, pages: readonly Page[]): Segment[] {
  const segments: Segment[] = [];
  const begins = new Map(pages.map((page) => [page.start, page.page]));
  const cuts = [...begins.keys()].filter((start) => start > 0 && start < text.length);
  const edges = [...cuts, text.length].sort((a, b) => a - b);
  let from = 0;
  for (const edge of edges) {
    let page = begins.get(from) ?? null;
    for (const part of paragraphs(text, from, edge)) {
      segments.push({ ...part, page });
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

/** A place to cut, at a line's end or a space where there is one, and never inside a character. */
function cutBefore(text: string, start: number, limit: number): number {
  const line = text.lastIndexOf('\n', limit - 1);
  if (line > start + LONGEST / 3) return line + 1;
  const space = text.lastIndexOf(' ', limit - 1);
  if (space > start + LONGEST / 3) return space + 1;
  const unit = text.charCodeAt(limit - 1);
  return unit >= 0xd800 && unit < 0xdc00 ? limit - 1 : limit;
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
