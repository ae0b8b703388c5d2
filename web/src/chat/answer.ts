import type { Problem } from '@/api/problem';
import type { Answer, ChatEvent, Hit } from '@/api/types';

/** asking: sent, nothing came yet; searching: accepted; reading: passages were found; writing: words come; then its end. */
export type Phase = 'asking' | 'searching' | 'reading' | 'writing' | 'answered' | 'failed';

export interface Question {
  conversationId: string;
  messageId: string;
  text: string;
  /** The message that this one takes the place of: the question was edited, or is asked `again`. */
  insteadOf: string | null;
  again: boolean;
  collection: string | null;
}

/** Asks a question in the conversation that is shown. */
export type Ask = (text: string, options?: { insteadOf?: string; again?: boolean }) => void;

/** An answer while it comes. */
export interface LiveAnswer {
  question: Question;
  phase: Phase;
  /** The number of the last event. */
  n: number;
  turn: number;
  hits: Hit[];
  text: string;
  answer: Answer | null;
  failure: { code: string; message: string; temporary: boolean } | null;
  /** Why it stands still: the connection is cut and is being tried again, or was given up. */
  cut: { attempt: number; problem: Problem; givenUp: boolean } | null;
  stopping: boolean;
}

export function startAnswer(question: Question): LiveAnswer {
  return {
    question,
    phase: 'asking',
    n: 0,
    turn: 0,
    hits: [],
    text: '',
    answer: null,
    failure: null,
    cut: null,
    stopping: false,
  };
}

export function isEnded(live: LiveAnswer): boolean {
  return live.phase === 'answered' || live.phase === 'failed';
}

/** The answer after one more event. Events come again after a broken connection: those that are known change nothing. */
export function applyEvent(live: LiveAnswer, event: ChatEvent): LiveAnswer {
  if (event.n <= live.n || isEnded(live)) return live;
  const next = { ...live, n: event.n, turn: event.turn, cut: null };
  switch (event.type) {
    case 'start':
    case 'reset':
      return { ...next, phase: 'searching', hits: [], text: '', answer: null, failure: null };
    case 'hits':
      return { ...next, phase: 'reading', hits: event.hits };
    case 'token':
      return { ...next, phase: 'writing', text: live.text + event.text };
    case 'answer':
      return { ...next, text: event.answer, hits: event.hits.length ? event.hits : live.hits, answer: event };
    case 'error':
      return { ...next, failure: { code: event.code, message: event.message, temporary: event.temporary } };
    case 'done':
      return {
        ...next,
        phase: live.answer ? 'answered' : 'failed',
        failure: live.answer ? null : (live.failure ?? LOST),
      };
  }
}

const LOST = { code: 'lost', message: '', temporary: true };
