import type { ComponentType } from 'react';
import { lazily } from '@/ui/lazily';
import type { QuoteCardProps } from './QuoteCard';

let card: ComponentType<QuoteCardProps> | null = null;

/** What shows the quote beside a chip; nothing on a phone, where a finger does not hover, and where it could not be loaded. */
export function quoteCard(): ComponentType<QuoteCardProps> | null {
  return card;
}

/** The turns of a conversation; with the card of their chips, since one that came later would take the focus from a chip. */
export const Thread = lazily(async () => {
  const [rest] = await Promise.all([import('@/rest'), loadCard()]);
  return rest.Thread;
});

/** Lays an answer out. */
export const Markdown = lazily(async () => (await import('./markdown/Markdown')).default);

async function loadCard(): Promise<void> {
  if (card || !matchMedia('(hover: hover)').matches) return;
  // Without it a chip still opens the document.
  card = await import('./QuoteCard').then(
    (found) => found.QuoteCard,
    () => null,
  );
}
