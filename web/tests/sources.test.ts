import { describe, expect, test } from 'vitest';
import { quoteRange } from '@/sources/quote';
import { cellsOf, segmentAt, segmentsOf } from '@/sources/segments';

describe('a quote on a page', () => {
  const found = (parts: string[], quote: string) => {
    const range = quoteRange(parts, quote);
    if (!range) return null;
    const { from, to } = range;
    if (from.part === to.part) return parts[from.part]?.slice(from.offset, to.offset);
    const between = parts.slice(from.part + 1, to.part);
    return [parts[from.part]?.slice(from.offset), ...between, parts[to.part]?.slice(0, to.offset)].join('|');
  };

  test('is found across lines, whatever the spaces, hyphens and ligatures', () => {
    const parts = ['The har-', 'bour of Ghent', ' was  opened in 1827. It has three docks.'];
    expect(found(parts, 'The harbour of Ghent was opened in 1827.')).toBe(
      'The har-|bour of Ghent| was  opened in 1827',
    );
    expect(found(['the oﬃce was ﬁne'], 'office was fine')).toBe('oﬃce was ﬁne');
    expect(found(['x 🏛️ Hôtel Tassel'], 'Hotel Tassel')).toBe('Hôtel Tassel');
  });

  test('that goes on on the next page is marked on both', () => {
    const quote = 'a sentence that is cut in two by the end of the page';
    expect(found(['before a sentence that is cut'], quote)).toBe('a sentence that is cut');
    expect(found(['in two by the end of the page and more'], quote)).toBe('in two by the end of the page');
  });

  test('that is not there is not found', () => {
    expect(found(['something else'], 'The harbour of Ghent')).toBeNull();
    expect(found(['x'], '  ')).toBeNull();
  });
});

describe('the segments of a text', () => {
  const long = `${'word '.repeat(2000)}🏛`.repeat(3);
  const text = `One.\n\nTwo.\n\n${long}\n\nEnd.`;
  const segments = segmentsOf(text, [
    { page: 1, start: 0, end: 6 },
    { page: 2, start: 6, end: text.length },
  ]);

  test('are the whole text, in order, none too long, and none cut inside a character', () => {
    expect(segments.map(({ start, end }) => text.slice(start, end)).join('')).toBe(text);
    for (const { start, end } of segments) {
      expect(end - start).toBeLessThanOrEqual(1500);
      expect(text.slice(start, end)).toBe(text.slice(start, end).toWellFormed());
    }
    expect(segments.filter(({ page }) => page !== null).map(({ page, start }) => [page, start])).toEqual([
      [1, 0],
      [2, 6],
    ]);
  });

  test('are found by what lies in them', () => {
    for (const offset of [0, 5, 6, 7000, text.length - 1]) {
      const segment = segments[segmentAt(segments, offset)];
      expect(segment && segment.start <= offset && offset < segment.end).toBe(true);
    }
  });
});

describe('the blocks of a text', () => {
  const text = 'Title\n\nOne.\n\nfirst\nsecond\n\na | b\n\nx = 1\n\ny = 2';
  const at = (part: string) => ({ start: text.indexOf(part), end: text.indexOf(part) + part.length });
  const segments = segmentsOf(
    text,
    [],
    [
      { kind: 'heading', level: 1, ...at('Title') },
      { kind: 'list_item', level: 0, ...at('first') },
      { kind: 'list_item', level: 0, ...at('second') },
      { kind: 'table_row', level: 0, ...at('a | b') },
      { kind: 'code', level: 0, ...at('x = 1\n\ny = 2') },
    ],
  );

  test('are told apart, and code keeps its empty lines', () => {
    expect(segments.map(({ kind, start, end }) => [kind, text.slice(start, end).trim()])).toEqual([
      ['heading', 'Title'],
      [null, 'One.'],
      ['list_item', 'first'],
      ['list_item', 'second'],
      ['table_row', 'a | b'],
      ['code', 'x = 1\n\ny = 2'],
    ]);
  });

  test('have cells', () => {
    const { start, end } = at('a | b');
    expect(cellsOf(text, start, end).map((cell) => text.slice(cell.start, cell.end))).toEqual(['a', 'b']);
  });
});
