import { loadLazily } from '@/ui/loadLazily';
import { loadQuoteCard } from './lazyQuoteCard';

/** The turns of a conversation; with the card of their chips, since one that came later would take the focus from a chip. */
export const Thread = loadLazily(async () => {
  const [rest] = await Promise.all([import('@/rest'), loadQuoteCard()]);
  return rest.Thread;
});
