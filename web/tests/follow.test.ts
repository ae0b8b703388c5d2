import { describe, expect, test, vi } from 'vitest';

vi.stubGlobal('document', { baseURI: 'http://localhost/' });
vi.stubGlobal('location', { origin: 'http://localhost' });
const { BufferingWatch } = await import('@/chat/follow');

function tokens(count: number) {
  return Array.from({ length: count }, (_, n) => ({ type: 'token', text: 'word ', n, turn: 1, attempt: 1 }) as const);
}

describe('a proxy that holds answers back', () => {
  test('is suspected where many words come at once after a silence, whole answers or pieces of one', () => {
    let now = 0;
    const watch = new BufferingWatch(() => now);
    now += 1500;
    expect(watch.notices(tokens(30))).toBe(true);
    now += 1700;
    expect(watch.notices(tokens(30))).toBe(true);
  });

  test('is not suspected where words come as they are written, slowly begun or not, nor where a cache answers at once', () => {
    let now = 0;
    const watch = new BufferingWatch(() => now);
    now += 20;
    expect(watch.notices(tokens(40))).toBe(false);
    now += 9000;
    expect(watch.notices(tokens(1))).toBe(false);
    now += 50;
    expect(watch.notices(tokens(40))).toBe(false);
  });
});
