import { describe, expect, test } from 'vitest';
import { EventParser, serverEvents } from '@/chat/sse';

const STREAM =
  '\uFEFFevent: start\ndata: {"n":1}\nid: 1\n\n: ping\n\nevent:token\r\ndata: Zoë 🏛️\r\nid: 2\r\n\r\ndata: a\ndata: b\n\nevent: empty\n\nid: 3\rdata:x\r\r\n';
const EVENTS = [
  { event: 'start', data: '{"n":1}', id: '1' },
  { event: 'token', data: 'Zoë 🏛️', id: '2' },
  { event: 'message', data: 'a\nb', id: '2' },
  { event: 'message', data: 'x', id: '3' },
];

describe('server-sent events', () => {
  test('come out the same wherever the text was cut', () => {
    for (let cut = 0; cut <= STREAM.length; cut++) {
      const parser = new EventParser();
      expect([...parser.feed(STREAM.slice(0, cut)), ...parser.feed(STREAM.slice(cut))]).toEqual(EVENTS);
    }
    const parser = new EventParser();
    expect([...STREAM].flatMap((char) => parser.feed(char))).toEqual(EVENTS);
  });

  test('an event whose end did not come is none', () => {
    expect(new EventParser().feed('data: half')).toEqual([]);
    expect(new EventParser().feed('data: half\n')).toEqual([]);
  });

  test('bytes may be cut inside a character', async () => {
    const bytes = new TextEncoder().encode(STREAM);
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
        controller.close();
      },
    });
    const found = [];
    for await (const events of serverEvents(body)) found.push(...events);
    expect(found).toEqual(EVENTS);
  });
});
