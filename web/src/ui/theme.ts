import { useSyncExternalStore } from 'react';
import { readValue, storeValue } from './storage';

export type Theme = 'system' | 'light' | 'dark';
export const THEMES: readonly Theme[] = ['system', 'light', 'dark'];

let theme: Theme = THEMES.find((known) => known === readValue('theme')) ?? 'system';
const listeners = new Set<() => void>();

function applyTheme(): void {
  if (theme === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

export function setTheme(wanted: Theme): void {
  theme = wanted;
  storeValue('theme', wanted === 'system' ? null : wanted);
  applyTheme();
  for (const listener of listeners) listener();
}

export function useTheme(): Theme {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => theme,
  );
}

applyTheme();
