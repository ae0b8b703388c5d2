import { describe, expect, it } from 'vitest';
import { listCells, splitAtWords, splitCode, splitList } from '@/chat/quotation';

describe('what is quoted', () => {
  it('marks the words of the question, and their inflections', () => {
    const parts = splitAtWords('The harbour was opened in 1827.', 'When did the harbour open? opening hours');
    expect(parts.map((part) => part.text).join('')).toBe('The harbour was opened in 1827.');
    expect(parts.filter((part) => part.asked).map((part) => part.text)).toEqual(['harbour', 'opened']);
    expect(
      splitAtWords('It was opening.', 'When was it opened?').some((part) => part.text === 'opening' && part.asked),
    ).toBe(true);
    expect(splitAtWords('', 'x')).toEqual([]);
  });

  it('tells the lead of a list from its items', () => {
    expect(splitList('Not covered are:\n- glass\n  of any kind\n- fire')).toEqual({
      lead: 'Not covered are:',
      items: ['glass of any kind', 'fire'],
    });
    expect(splitList('Docks:\ncoal\nsalt')).toEqual({ lead: 'Docks:', items: ['coal', 'salt'] });
    expect(splitList('1) one\n2) two')).toEqual({ lead: '', items: ['one', 'two'] });
  });

  it('tells the sentence before code from the code', () => {
    expect(splitCode('Run it\nlike this:\n\n  $ run\n\n  $ stop')).toEqual({
      lead: 'Run it like this:',
      code: '  $ run\n\n  $ stop',
    });
    expect(splitCode('$ run\n\n$ stop')).toEqual({ lead: '', code: '$ run\n\n$ stop' });
    expect(splitCode('x = 1')).toEqual({ lead: '', code: 'x = 1' });
  });

  it('reads the cells of a row', () => {
    expect(listCells('City: Ghent | People: 260,086')).toEqual([
      { at: 0, name: 'City', value: 'Ghent' },
      { at: 1, name: 'People', value: '260,086' },
    ]);
    expect(listCells('Ghent | 5')).toEqual([
      { at: 0, name: '', value: 'Ghent' },
      { at: 1, name: '', value: '5' },
    ]);
  });
});
