import { describe, expect, test } from 'vitest';
import type { Answer, ChatEvent } from '@/api/types';
import { applyEvent, isEnded, type LiveAnswer, startAnswer } from '@/chat/answer';

const QUESTION = { conversationId: 'c', messageId: 'm', text: 'Why?', insteadOf: null, again: false, collection: null };
const ANSWER: Answer = {
  answer: 'Because. [1]',
  abstained: false,
  citations: [],
  hits: [],
  conversation_id: 'c',
  message_id: 'm',
  usage: { model: null, prompt_tokens: 0, completion_tokens: 0 },
  unsupported: [],
  stopped: false,
};
const ids = { conversation_id: 'c', message_id: 'm' };

function numbered(...events: object[]): ChatEvent[] {
  return events.map((event, index) => ({ n: index + 1, turn: 1, attempt: 1, ...event }) as ChatEvent);
}

function answerAfter(events: ChatEvent[], live: LiveAnswer = startAnswer(QUESTION)): LiveAnswer {
  return events.reduce(applyEvent, live);
}

const WHOLE = numbered(
  { type: 'start', ...ids },
  { type: 'hits', hits: [] },
  { type: 'token', text: 'Be' },
  { type: 'token', text: 'cause' },
  { type: 'answer', ...ANSWER },
  { type: 'done' },
);

describe('an answer while it comes', () => {
  test('goes through its phases', () => {
    const phases = WHOLE.map((_, index) => answerAfter(WHOLE.slice(0, index + 1)).phase);
    expect(phases).toEqual(['searching', 'reading', 'writing', 'writing', 'writing', 'answered']);
    const live = answerAfter(WHOLE);
    expect(live.text).toBe('Because. [1]');
    expect(live.answer?.answer).toBe('Because. [1]');
    expect(isEnded(live)).toBe(true);
  });

  test('events that come again change nothing, wherever the connection broke', () => {
    for (let cut = 0; cut <= WHOLE.length; cut++) {
      expect(answerAfter([...WHOLE.slice(0, cut), ...WHOLE])).toEqual(answerAfter(WHOLE));
    }
  });

  test('a new attempt forgets what the one before had shown', () => {
    const events = numbered(
      { type: 'start', ...ids },
      { type: 'token', text: 'half an ans' },
      { type: 'reset', attempt: 2, ...ids },
      { type: 'token', attempt: 2, text: 'Be' },
    );
    expect(answerAfter(events).text).toBe('Be');
  });

  test('a failure is one only at the end, and an end without answer is a failure', () => {
    const error = { type: 'error', code: 'stopped', message: 'x', temporary: false };
    const events = numbered({ type: 'start', ...ids }, error, { type: 'done' });
    expect(answerAfter(events.slice(0, 2)).phase).toBe('searching');
    expect(answerAfter(events)).toMatchObject({ phase: 'failed', failure: { code: 'stopped' } });
    expect(answerAfter(numbered({ type: 'start', ...ids }, { type: 'done' }))).toMatchObject({
      phase: 'failed',
      failure: { code: 'lost' },
    });
  });

  test('an event ends what was said of a broken connection', () => {
    const cut = { attempt: 2, problem: new Error() as never, givenUp: false };
    expect(answerAfter(WHOLE.slice(0, 1), { ...startAnswer(QUESTION), cut }).cut).toBeNull();
  });
});
