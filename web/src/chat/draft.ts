import { readValue, storeValue } from '@/ui/storage';
import type { Question } from './answer';

/** What is written and not sent, for each conversation and for a new one. */
export function readDraft(conversation: string | null): string {
  return readValue(keyOf(conversation)) ?? '';
}

export function saveDraft(conversation: string | null, text: string): void {
  storeValue(keyOf(conversation), text || null);
}

/** A question that did not get through is a draft again: it is there after a reload, as a new login needs one. */
export function restoreDraft({ conversationId, text, again }: Question): void {
  if (!again && !readDraft(conversationId)) saveDraft(conversationId, text);
}

/** It got through after all: the draft is not needed. */
export function dropDraft({ conversationId, text }: Question): void {
  if (readDraft(conversationId) === text) saveDraft(conversationId, '');
}

function keyOf(conversation: string | null): string {
  return `draft.${conversation ?? 'new'}`;
}
