import { POST, request } from '@/api/client';
import { asProblem } from '@/api/problem';
import { conversationQuery, conversationsKey, queryClient, streamQuery } from '@/api/queries';
import type { ConversationWithTurns, Turn } from '@/api/types';
import { apiUrl } from '@/config';
import { applyEvent, isEnded, type LiveAnswer, type Question, startAnswer } from './answer';
import { dropDraft, restoreDraft } from './draft';
import { followAnswer } from './follow';
import { serverEvents } from './sse';

const RECHECK = 60_000; // milliseconds between two checks of the way
const BEAT = 200; // milliseconds, half of what lies between the two events of the check

/** The answers that are being written, whichever page is shown: one for each conversation. */
class LiveAnswers {
  private answers = new Map<string, LiveAnswer>();
  private aborts = new Map<string, AbortController>();
  private listeners = new Set<() => void>();
  /** The message that was streamed last in a conversation, when it was looked for. */
  private seen = new Map<string, string | null>();
  private buffered = false;
  private checked = Number.NEGATIVE_INFINITY;
  private channel = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel('anchorage');

  constructor() {
    this.channel?.addEventListener('message', (message: MessageEvent<string>) => void this.refresh(message.data));
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly get = (conversation: string): LiveAnswer | undefined => this.answers.get(conversation);

  /** Whether a proxy on the way holds answers back until they are whole. */
  readonly areBuffered = (): boolean => this.buffered;

  setBuffered(buffered: boolean): void {
    this.buffered = buffered;
    this.notifyListeners();
  }

  ask(question: Question): void {
    this.set(startAnswer(question));
    void this.follow(question, null);
  }

  /** Goes on with the answer that is being written in a conversation, if one is: after a reload, or from another device. */
  async resume(conversation: string): Promise<void> {
    if (this.answers.has(conversation)) return;
    const state = await queryClient.fetchQuery(streamQuery(conversation)).catch(() => null);
    if (!state || this.answers.has(conversation)) return;
    const before = this.seen.get(conversation);
    this.seen.set(conversation, state.message_id);
    if (!state.running || !state.message_id) {
      // It was asked and answered elsewhere, all while nobody looked.
      if (before !== undefined && before !== state.message_id)
        await queryClient.invalidateQueries(conversationQuery(conversation));
      return;
    }
    const question = {
      conversationId: conversation,
      messageId: state.message_id,
      text: state.question ?? '',
      insteadOf: null,
      again: false,
      collection: null,
    };
    this.set({ ...startAnswer(question), phase: 'searching' });
    await this.follow(question, 0);
  }

  /** Tries again to get the rest of an answer whose connection was given up. */
  retry(conversation: string): void {
    const live = this.answers.get(conversation);
    if (!live) return;
    this.set({ ...live, cut: null });
    void this.follow(live.question, live.n || null);
  }

  async stop(conversation: string): Promise<void> {
    const live = this.answers.get(conversation);
    if (!live || isEnded(live)) return;
    this.set({ ...live, stopping: true });
    const path = { conversation_id: conversation };
    await POST('/api/chat/{conversation_id}/stop', { params: { path } }).catch((error: unknown) => {
      const current = this.answers.get(conversation);
      if (current)
        this.set({ ...current, stopping: false, cut: { attempt: 0, problem: asProblem(error), givenUp: false } });
    });
  }

  /** Forgets an answer: it failed and was seen, or its conversation is gone. */
  dismiss(conversation: string): void {
    this.aborts.get(conversation)?.abort();
    this.aborts.delete(conversation);
    if (this.answers.delete(conversation)) this.notifyListeners();
  }

  private async follow(question: Question, after: number | null): Promise<void> {
    const { conversationId } = question;
    this.aborts.get(conversationId)?.abort();
    const abort = new AbortController();
    this.aborts.set(conversationId, abort);
    const change = (to: (live: LiveAnswer) => LiveAnswer) => {
      const live = this.answers.get(conversationId);
      if (live && !abort.signal.aborted) this.set(to(live));
    };
    const listener = {
      onEvents: (events: Parameters<typeof applyEvent>[1][]) => {
        const announced = this.answers.get(conversationId)?.n === 0;
        if (announced) dropDraft(question);
        change((live) => events.reduce(applyEvent, live));
        if (announced) this.channel?.postMessage(conversationId);
      },
      onCut: (attempt: number, problem: ReturnType<typeof asProblem>, givenUp: boolean) => {
        if (givenUp && this.answers.get(conversationId)?.n === 0) restoreDraft(question);
        change((live) => ({ ...live, cut: { attempt, problem, givenUp } }));
      },
      onNothing: () => this.dismiss(conversationId),
      onBuffering: () => {
        if (performance.now() - this.checked < RECHECK) return;
        this.checked = performance.now();
        void detectBuffering().then((buffered) => this.setBuffered(buffered));
      },
    };
    await followAnswer(question, after, listener, abort.signal);
    const live = this.answers.get(conversationId);
    if (live && !abort.signal.aborted && isEnded(live)) await this.settle(live);
  }

  /** Puts a finished answer among the turns of its conversation, where it is read from then on. */
  private async settle(live: LiveAnswer): Promise<void> {
    const { conversationId, messageId, insteadOf } = live.question;
    const { queryKey } = conversationQuery(conversationId);
    if (!live.answer && live.failure?.code !== 'stopped') restoreDraft(live.question);
    if (live.answer) {
      queryClient.setQueryData(['hits', conversationId, messageId], live.hits);
      const known = queryClient.getQueryData(queryKey);
      const last = known?.turns.at(-1);
      if (known && !insteadOf && last && last.number === live.turn - 1) {
        queryClient.setQueryData(queryKey, {
          ...known,
          turns: [...known.turns, turnOf(live, last)],
        } as ConversationWithTurns);
      } else {
        await queryClient.fetchQuery({ ...conversationQuery(conversationId), staleTime: 0 }).catch(() => undefined);
      }
      const settled = queryClient.getQueryData(queryKey)?.turns.some((turn) => turn.message_id === messageId);
      if (settled) this.dismiss(conversationId);
    }
    void queryClient.invalidateQueries({ queryKey: conversationsKey });
    this.channel?.postMessage(conversationId);
  }

  /** Reads a conversation anew in which another window asked or was answered. */
  private async refresh(conversation: string): Promise<void> {
    void queryClient.invalidateQueries({ queryKey: conversationsKey });
    const { queryKey } = conversationQuery(conversation);
    if (!queryClient.getQueryState(queryKey)) return;
    await queryClient.invalidateQueries({ queryKey });
    const shown = queryClient.getQueryCache().find({ queryKey })?.getObserversCount();
    if (shown) await this.resume(conversation);
  }

  private set(live: LiveAnswer): void {
    this.answers.set(live.question.conversationId, live);
    this.notifyListeners();
  }

  private notifyListeners(): void {
    this.answers = new Map(this.answers);
    for (const listener of this.listeners) listener();
  }
}

/** Whether a proxy on the way holds events back: two that are sent one after the other come together. */
export async function detectBuffering(): Promise<boolean> {
  const response = await request(apiUrl('/api/stream-check')).catch(() => null);
  if (!response?.body) return false;
  let first = 0;
  for await (const events of serverEvents(response.body)) {
    if (events.length === 0) continue;
    if (first) return performance.now() - first < BEAT;
    if (events.length > 1) return true;
    first = performance.now();
  }
  return false;
}

function turnOf(live: LiveAnswer, last: Turn): Turn {
  const { answer } = live;
  if (!answer) throw new Error('an answer without a text is no turn');
  return {
    number: live.turn,
    parent: last.number,
    message_id: answer.message_id,
    question: live.question.text,
    answer: answer.answer,
    abstained: answer.abstained,
    stopped: answer.stopped ?? false,
    citations: answer.citations,
    units: answer.units,
    unsupported: answer.unsupported,
    created_at: new Date().toISOString(),
    siblings: [answer.message_id],
  };
}

export const liveAnswers = new LiveAnswers();
