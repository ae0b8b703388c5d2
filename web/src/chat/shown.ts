import type { AnswerUnit, Citation, Hit, Unsupported } from '@/api/types';
import type { Translate } from '@/i18n';
import { en } from '@/i18n/en';

/** An answer as it is shown, finished or not. */
export interface Shown {
  conversationId: string;
  messageId: string;
  question: string;
  text: string;
  /** What is quoted, where no model wrote the answer. */
  units: AnswerUnit[];
  citations: Citation[];
  unsupported: Unsupported[];
  abstained: boolean;
  stopped: boolean;
  /** What retrieval found, where that is known already. */
  hits: Hit[] | null;
  /** Words are still to come; what is cited is not checked yet. */
  writing: boolean;
}

/** An answer's words; the sentence that is the server's own, in the reader's language. */
export function localizeAnswer(t: Translate, text: string, abstained: boolean): string {
  return abstained && text.trim() === en['abstained.sentence'] ? t('abstained.sentence') : text;
}
