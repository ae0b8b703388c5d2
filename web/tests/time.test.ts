import { describe, expect, test } from 'vitest';
import { learnClock, serverNow } from '@/api/clock';
import { Problem, problemFrom } from '@/api/problem';
import { ageOf, formatSize, formatTimeAgo } from '@/ui/time';

describe('times', () => {
  const now = Date.parse('2026-05-20T12:00:00');
  const earlier = (seconds: number) => new Date(now - seconds * 1000).toISOString();

  test('are told by how long ago they were; the future is now', () => {
    expect(formatTimeAgo('en', earlier(3 * 3600), now)).toBe('3 hours ago');
    expect(formatTimeAgo('de', earlier(86_400), now)).toBe('gestern');
    expect(formatTimeAgo('en', earlier(-7200), now)).toBe('now');
  });

  test('are grouped by day', () => {
    expect(
      [0, 13 * 3600, 3 * 86_400, 20 * 86_400, 400 * 86_400].map((seconds) => ageOf(earlier(seconds), now)),
    ).toEqual(['today', 'yesterday', 'week', 'month', 'older']);
  });

  test("follow the server's clock where it differs much from this one", () => {
    const response = (date: string) => ({ headers: new Headers({ date }) });
    learnClock(response('Wed, 20 May 2026 13:00:00 GMT'), Date.parse('2026-05-20T12:00:00Z'));
    expect(serverNow(Date.parse('2026-05-20T12:00:30Z'))).toBe(Date.parse('2026-05-20T13:00:30Z'));
    learnClock(response('Wed, 20 May 2026 12:00:01 GMT'), Date.parse('2026-05-20T12:00:00Z'));
    expect(serverNow(1000)).toBe(1000);
    learnClock(response('nonsense'), 0);
    expect(serverNow(1000)).toBe(1000);
  });
});

describe('sizes', () => {
  test('are readable', () => {
    expect(formatSize('en', 0)).toBe('0 bytes');
    expect(formatSize('en', 200 * 1024 ** 2)).toBe('200 MB');
    expect(formatSize('de', 1536)).toBe('1,5 kB');
  });
});

describe('problems', () => {
  const answer = (status: number, headers: Record<string, string> = {}) => ({ status, headers: new Headers(headers) });

  test('say what the server says', () => {
    const body = JSON.stringify({ code: 'blocked', detail: 'No.', request_id: 'r' });
    expect(problemFrom(answer(422), body)).toMatchObject({
      status: 422,
      code: 'blocked',
      detail: 'No.',
      requestId: 'r',
    });
  });

  test('are problems also where a proxy answers with a page of its own', () => {
    expect(problemFrom(answer(502, { 'retry-after': '7' }), '<h1>Bad gateway</h1>')).toMatchObject({
      code: 'http_502',
      detail: '',
      retryAfter: 7,
    });
    expect(problemFrom(answer(500), '[1]').code).toBe('http_500');
  });

  test('that pass by themselves are known', () => {
    expect([0, 401, 403, 413, 429, 500, 503].filter((status) => new Problem(status, '', '').temporary)).toEqual([
      0, 429, 500, 503,
    ]);
  });
});
