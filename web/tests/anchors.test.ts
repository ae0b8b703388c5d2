import type { Element, ElementContent, Root } from 'hast';
import remarkParse from 'remark-parse';
import remarkRehype from 'remark-rehype';
import { unified } from 'unified';
import { describe, expect, test } from 'vitest';
import type { Citation } from '@/api/types';
import { type Anchors, rehypeAnchors } from '@/chat/markdown/anchors';
import { convertDelimiters, hasMath, hasSingleDollars } from '@/chat/markdown/math';

function citation(marker: number): Citation {
  const place = { document_id: 'd', version: 'v', uri: 'u', title: 't', page: null, start: 0, end: 1 };
  return { marker, claim: '', quote: '', prefix: '', suffix: '', ...place };
}

/** What the plugin makes of a source, as text: `{1:0}` a chip with its citation, `‹…›` a marked sentence, `‹›!` where it ends. */
function anchored(source: string, anchors: Partial<Anchors>): string {
  const all = { unsupported: [], citations: [], passages: 0, ...anchors, source };
  const processor = unified().use(remarkParse).use(remarkRehype).use(rehypeAnchors, all);
  return told(processor.runSync(processor.parse(source)) as Root);
}

function told(node: Root | ElementContent): string {
  if (node.type === 'text') return node.value;
  if (node.type !== 'root' && node.type !== 'element') return '';
  const inner = node.children.map((child) => told(child as ElementContent)).join('');
  const { dataMarker, dataCitation, dataWithheld, dataLast } = (node as Element).properties ?? {};
  if (node.type === 'element' && node.tagName === 'cite') return `{${dataMarker}:${dataCitation}}`;
  if (node.type === 'element' && node.tagName === 'mark')
    return dataWithheld ? '‹withheld›' : `‹${inner}›${dataLast ? '!' : ''}`;
  return inner;
}

function spanOf(source: string, part: string): { start: number; end: number } {
  const start = source.indexOf(part);
  return { start, end: start + part.length };
}

describe('markers', () => {
  const citations = [citation(1), citation(2), citation(1)];

  test('become chips: the first of a number for its first citation, and so on', () => {
    expect(anchored('A [1]. B [2][1]. C [1].', { citations })).toBe('A {1:0}. B {2:1}{1:2}. C {1:2}.');
    expect(anchored('A [1, 2].', { citations })).toBe('A {1:0}{2:1}.');
  });

  test('that nothing stands behind stay text, and code stays code', () => {
    expect(anchored('A [7]. `x[1]`', { citations })).toBe('A [7]. x[1]');
    expect(anchored('```\nx[1]\n```', { citations }).trim()).toBe('x[1]');
  });

  test('wait for their citations while passages alone are known', () => {
    expect(anchored('A [2]. B [4].', { passages: 3 })).toBe('A {2:-1}. B [4].');
  });
});

describe('unsupported sentences', () => {
  test('are marked, also where emphasis, chips, escapes and entities stand in them', () => {
    const source = 'Fine. This **is** not \\*true\\* &amp; bad [1]. Fine.';
    const unsupported = [spanOf(source, 'This **is** not \\*true\\* &amp; bad [1].')];
    expect(anchored(source, { unsupported, citations: [citation(1)] })).toBe(
      'Fine. ‹This ›‹is›‹ not *true* & bad ›{1:0}‹.›! Fine.',
    );
  });

  test('are marked on several lines and in lists', () => {
    const source = '> - One two\n>   three four.\n> - Five.';
    const unsupported = [spanOf(source, 'two\n>   three')];
    expect(anchored(source, { unsupported }).replace(/\s+/g, ' ').trim()).toBe('One ‹two three›! four. Five.');
  });

  test('that are withheld leave a place', () => {
    const source = 'One. Two.';
    expect(anchored(source, { unsupported: [{ start: 5, end: 5 }] })).toBe('One. ‹withheld›Two.');
  });
});

describe('formulas', () => {
  test('are told from prices', () => {
    expect(hasMath('It costs $5 and $10.')).toBe(false);
    expect(hasMath('from $a to b$ = c')).toBe(false);
    expect(hasSingleDollars('The sum $x_1 + x^2$ is.')).toBe(true);
    expect(hasMath('$$E = mc^2$$')).toBe(true);
    expect(hasMath('`$$x$$`')).toBe(false);
  });

  test("TeX's own delimiters become those of Markdown, in the same length, outside code", () => {
    const source = 'A \\(x^2\\) and \\[y\\] but `\\(code\\)`';
    expect(convertDelimiters(source)).toBe('A $$x^2$$ and $$y$$ but `\\(code\\)`');
    expect(convertDelimiters(source)).toHaveLength(source.length);
  });
});
