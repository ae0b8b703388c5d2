import type { Element, ElementContent, Root, RootContent, Text } from 'hast';
import type { Citation } from '@/api/types';
import type { Span } from '@/text/codepoints';

/** What is marked in an answer's text; spans are in units of the source's string. */
export interface Anchors {
  source: string;
  unsupported: readonly Span[];
  citations: readonly Citation[];
  /** How many passages a marker may name while nothing is verified yet. */
  passages: number;
}

interface Piece extends Span {
  node: ElementContent;
}

const MARKER = /\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]/g;
const LITERAL = new Set(['code', 'pre', 'math']);

/**
 * A rehype plugin: puts chips in the place of markers and marks sentences that nothing supports.
 *
 * It runs after everything of the source was made safe, and adds only `cite` and `mark` elements with numbers on them.
 */
export function rehypeAnchors(anchors: Anchors) {
  return (tree: Root) => {
    const seen = new Map<number, number>();
    replaceTexts(tree, (text) => splitText(text, anchors, seen));
  };
}

function replaceTexts(parent: Root | Element, replace: (text: Text) => ElementContent[]): void {
  const children: ElementContent[] = [];
  for (const child of parent.children as RootContent[]) {
    if (child.type === 'text') children.push(...replace(child));
    else {
      if (child.type === 'element' && !LITERAL.has(child.tagName)) replaceTexts(child, replace);
      children.push(child as ElementContent);
    }
  }
  parent.children = children;
}

function splitText(text: Text, anchors: Anchors, seen: Map<number, number>): ElementContent[] {
  const offsets = findSourceOffsets(text, anchors.source);
  if (!offsets) return [text];
  const pieces = cutAtMarkers(text.value, anchors, seen);
  const from = offsets[0] ?? 0;
  const to = offsets[text.value.length] ?? from;
  const spans = anchors.unsupported.filter((span) => span.start < to && span.end >= from && span.start >= 0);
  if (spans.length === 0) return pieces.map((piece) => piece.node);
  return spans.reduce((nodes, span) => markSpan(nodes, span, offsets), pieces).map((piece) => piece.node);
}

/** Cuts a text at its markers. */
function cutAtMarkers(value: string, { citations, passages }: Anchors, seen: Map<number, number>): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  const plain = (end: number) => {
    if (end > at) pieces.push({ start: at, end, node: { type: 'text', value: value.slice(at, end) } });
  };
  for (const match of value.matchAll(MARKER)) {
    const numbers = (match[1] ?? '').split(',').map(Number);
    const known = numbers.filter((number) => number <= passages || citations.some((item) => item.marker === number));
    if (known.length === 0) continue;
    plain(match.index);
    at = match.index + match[0].length;
    for (const number of known) {
      const place = findCitation(citations, number, seen);
      pieces.push({
        start: match.index,
        end: at,
        node: element('cite', { dataMarker: number, dataCitation: place }, []),
      });
    }
  }
  plain(value.length);
  return pieces;
}

/** Which citation a marker stands for: the first of a number for the first of its markers, and so on. */
function findCitation(citations: readonly Citation[], number: number, seen: Map<number, number>): number {
  const own = citations.flatMap((item, index) => (item.marker === number ? [index] : []));
  const count = seen.get(number) ?? 0;
  seen.set(number, count + 1);
  return own[Math.min(count, own.length - 1)] ?? -1;
}

function markSpan(pieces: Piece[], span: Span, offsets: readonly number[]): Piece[] {
  const withheld = span.start === span.end;
  const result: Piece[] = [];
  for (const piece of pieces) {
    const { node } = piece;
    if (node.type !== 'text') {
      result.push(piece);
      continue;
    }
    const at = (offset: number) => {
      let index = piece.start;
      while (index < piece.end && (offsets[index] ?? 0) < offset) index += 1;
      return index;
    };
    const start = at(span.start);
    const end = at(span.end);
    const part = (from: number, to: number): Piece => ({
      start: from,
      end: to,
      node: { type: 'text', value: node.value.slice(from - piece.start, to - piece.start) },
    });
    const last = (offsets[piece.end] ?? 0) >= span.end;
    const within = (offsets[piece.start] ?? 0) <= span.start && last;
    if (withheld ? !within : start === end) {
      result.push(piece);
      continue;
    }
    if (start > piece.start) result.push(part(piece.start, start));
    const content = withheld ? [] : [part(start, end).node];
    result.push({ start, end, node: element('mark', { dataWithheld: withheld, dataLast: last }, content) });
    if (end < piece.end) result.push(part(end, piece.end));
  }
  return result;
}

function element(tagName: string, properties: Record<string, number | boolean>, children: ElementContent[]): Element {
  return { type: 'element', tagName, properties, children };
}

/** For each unit of a text node, and its end, where in the source it stands; null where that is not known. */
function findSourceOffsets(text: Text, source: string): number[] | null {
  const from = text.position?.start.offset;
  const to = text.position?.end.offset;
  if (from === undefined || to === undefined) return null;
  const offsets: number[] = [];
  let at = from;
  for (const char of text.value.split('')) {
    const entity = char !== '&' && source[at] === '&' ? /^&#?\w+;/.exec(source.slice(at, Math.min(to, at + 40))) : null;
    if (!entity) at = skipMarkup(source, char, at, to);
    offsets.push(at);
    at += entity ? entity[0].length : 1;
  }
  offsets.push(Math.min(at, to));
  return offsets;
}

/** Behind what Markdown leaves out: a backslash, or the marks at the beginning of a line. */
function skipMarkup(source: string, char: string, at: number, to: number): number {
  let next = at;
  while (next < to && source[next] !== char) next += 1;
  return next < to ? next : at;
}
