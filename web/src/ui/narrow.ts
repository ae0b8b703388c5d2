import { useSyncExternalStore } from 'react';

/** The width of the page at which it is laid out for a phone; the style sheets name the same. */
const phone = matchMedia('(max-width: 820px)');

export function isNarrow(): boolean {
  return phone.matches;
}

/** Whether the page is as narrow as a phone's. */
export function useNarrow(): boolean {
  return useSyncExternalStore(subscribe, isNarrow);
}

function subscribe(changed: () => void): () => void {
  phone.addEventListener('change', changed);
  return () => phone.removeEventListener('change', changed);
}
