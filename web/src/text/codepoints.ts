/** Whether a text has characters that take two of JavaScript's units, so that its offsets are not those of code points. */
function hasPairs(text: string): boolean {
  return /[\uD800-\uDBFF][\uDC00-\uDFFF]/.test(text);
}

/** Converts offsets in code points, as the API gives them, to offsets of JavaScript's strings. */
export function unitOffsets(text: string, offsets: readonly number[]): number[] {
  if (!hasPairs(text)) return offsets.map((offset) => Math.min(offset, text.length));
  const order = offsets.map((offset, place) => ({ offset, place })).sort((a, b) => a.offset - b.offset);
  const found = new Array<number>(offsets.length).fill(text.length);
  let point = 0;
  let unit = 0;
  for (const { offset, place } of order) {
    while (point < offset && unit < text.length) {
      unit += isPair(text, unit) ? 2 : 1;
      point += 1;
    }
    found[place] = unit;
  }
  return found;
}

export interface Span {
  start: number;
  end: number;
}

/** Spans in code points as spans of a JavaScript string. */
export function unitSpans<T extends Span>(text: string, spans: readonly T[]): T[] {
  const offsets = unitOffsets(
    text,
    spans.flatMap((span) => [span.start, span.end]),
  );
  return spans.map((span, index) => ({ ...span, start: offsets[2 * index] ?? 0, end: offsets[2 * index + 1] ?? 0 }));
}

function isPair(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  const next = text.charCodeAt(at + 1);
  return unit >= 0xd800 && unit < 0xdc00 && next >= 0xdc00 && next < 0xe000;
}
