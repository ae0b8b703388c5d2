import type { ComponentType } from 'react';
import type { QuoteCardProps } from './QuoteCard';

let card: ComponentType<QuoteCardProps> | null = null;

/** What shows the quote beside a chip; nothing on a phone, where a finger does not hover, and where it could not be loaded. */
export function getQuoteCard(): ComponentType<QuoteCardProps> | null {
  return card;
}

export async function loadQuoteCard(): Promise<void> {
  if (card || !matchMedia('(hover: hover)').matches) return;
  // Without it a chip still opens the document.
  card = await import('./QuoteCard').then(
    (found) => found.QuoteCard,
    () => null,
  );
}
