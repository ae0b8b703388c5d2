import { describe, expect, test } from 'vitest';
import { unitOffsets, unitSpans } from '@/text/codepoints';

const TEXTS = ['', 'plain', '🏛️ Horta 𝒜', 'a🏛b🏛c', '👨‍👩‍👧 e\u0301 \ud800 x'];

describe('offsets in code points', () => {
  test('name the same places in units, for every place of every text', () => {
    for (const text of TEXTS) {
      const points = Array.from(text);
      const offsets = Array.from({ length: points.length + 1 }, (_, offset) => offset);
      const expected = offsets.map((offset) => points.slice(0, offset).join('').length);
      expect(unitOffsets(text, offsets)).toEqual(expected);
      expect(unitOffsets(text, offsets.toReversed())).toEqual(expected.toReversed());
    }
  });

  test('spans cut out what they say', () => {
    const [span] = unitSpans('🏛️ Horta 𝒜 famous', [{ start: 9, end: 10 }]);
    expect('🏛️ Horta 𝒜 famous'.slice(span?.start, span?.end)).toBe('𝒜');
  });

  test('what lies behind the end is the end', () => {
    expect(unitOffsets('ab', [5])).toEqual([2]);
    expect(unitOffsets('🏛', [5])).toEqual([2]);
  });
});
