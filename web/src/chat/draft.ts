import { keep, kept } from '@/ui/storage';
import type { Question } from './answer';

/** What is written and not sent, for each conversation and for a new one. */
export function draftOf(conversation: string | null): string {
  return kept(keyOf(conversation)) ?? '';
}

export function keepDraft(conversation: string | null, text: string): void {
  keep(keyOf(conversation), text || null);
}

/** A question that did not get through is a draft again: it is there after a reload, as a new login needs one. */
export function giveBack({ conversationId, text, again }: Question): void {
  if (!again && !draftOf(conversationId)) keepDraft(conversationId, text);
}

/** It got through after all. */
export function takeBack({ conversationId, text }: Question): void {
  if (draftOf(conversationId) === text) keepDraft(conversationId, '');
}

function keyOf(conversation: string | null): string {
  return `draft.${conversation ?? 'new'}`;
}
