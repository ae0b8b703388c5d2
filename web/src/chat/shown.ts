import type { Citation, Hit, Unsupported } from '@/api/types';

/** An answer as it is shown, finished or not. */
export interface Shown {
  conversationId: string;
  messageId: string;
  text: string;
  citations: Citation[];
  unsupported: Unsupported[];
  abstained: boolean;
  stopped: boolean;
  /** What retrieval found, where that is known already. */
  hits: Hit[] | null;
  /** Words are still to come; what is cited is not checked yet. */
  writing: boolean;
}
