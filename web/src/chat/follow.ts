import { request } from '@/api/client';
import { asProblem, Problem } from '@/api/problem';
import type { ChatEvent, ChatRequest } from '@/api/types';
import { apiUrl } from '@/config';
import type { Question } from './answer';
import { serverEvents } from './sse';

const PAUSES = [250, 500, 1000, 2000, 4000, 8000]; // milliseconds before each new try without any event in between
const SILENCE = 300; // milliseconds
const MANY = 4; // pieces, which the server sends one by one, 50 ms of the model's words each

export interface Listener {
  /** Events, those together that came together. */
  onEvents: (events: ChatEvent[]) => void;
  /** The connection is cut, for the so manyth time in a row; `givenUp` says that it is not tried again. */
  onCut: (attempt: number, problem: Problem, givenUp: boolean) => void;
  /** There is nothing (more) to come. */
  onNothing: () => void;
  /** After a long silence many events came at once, as a proxy that buffers would send them. */
  onBuffering: () => void;
}

/**
 * Asks, or with `after` goes on with what was asked before, until the last event came; gets the rest wherever the connection breaks.
 * The ids are ours, so that a question that is sent twice is asked once.
 */
export async function followAnswer(
  question: Question,
  after: number | null,
  listener: Listener,
  signal: AbortSignal,
): Promise<void> {
  let last = after;
  let tries = 0;
  for (;;) {
    const watch = new BufferingWatch();
    let again = last !== null; // what is sent again first, comes at once
    try {
      const response = await connect(question, last, signal);
      if (response.status === 204 || !response.body) return listener.onNothing();
      for await (const events of readEvents(response.body)) {
        if (events.length === 0) continue;
        tries = 0;
        last = events[events.length - 1]?.n ?? last;
        listener.onEvents(events);
        if (watch.notices(events) && !again) listener.onBuffering();
        again = false;
        if (events.some((event) => event.type === 'done')) return;
      }
      throw new Problem(0, 'cut', '');
    } catch (error) {
      if (signal.aborted) return;
      const problem = asProblem(error);
      const pause = PAUSES[tries];
      tries += 1;
      if (!problem.temporary || problem.status === 429 || pause === undefined)
        return listener.onCut(tries, problem, true);
      if (tries > 1) listener.onCut(tries, problem, false); // the first new try is not worth a word
      await new Promise((resolve) => setTimeout(resolve, problem.retryAfter ? problem.retryAfter * 1000 : pause));
      if (signal.aborted) return;
    }
  }
}

/** `after`: null asks; 0 wants all of what is being answered; a number what comes after that event. */
function connect(question: Question, after: number | null, signal: AbortSignal): Promise<Response> {
  if (after !== null) {
    const place = `/api/chat/${encodeURIComponent(question.conversationId)}/events`;
    return request(apiUrl(after ? `${place}?after=${after}` : place), { signal });
  }
  const asked: ChatRequest = {
    conversation_id: question.conversationId,
    message_id: question.messageId,
    stream: true,
    ...(!question.again && { message: question.text }),
    ...(question.insteadOf && { instead_of: question.insteadOf }),
    ...(question.collection && { collection: question.collection }),
  };
  const headers = { 'Content-Type': 'application/json', Accept: 'text/event-stream' };
  return request(apiUrl('/api/chat'), { method: 'POST', headers, body: JSON.stringify(asked), signal });
}

async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ChatEvent[], void> {
  for await (const found of serverEvents(body)) yield found.map((item) => JSON.parse(item.data) as ChatEvent);
}

/** Notices words, many of them, that come in one moment after a long silence, as a proxy that buffers sends them. */
export class BufferingWatch {
  private last: number;

  constructor(private readonly now = () => performance.now()) {
    this.last = now();
  }

  notices(events: ChatEvent[]): boolean {
    const silence = this.now() - this.last;
    this.last = this.now();
    return silence > SILENCE && events.filter((event) => event.type === 'token').length >= MANY;
  }
}
