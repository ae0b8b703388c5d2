/** What the browser keeps for this page. Where it keeps nothing (disabled, full), all of it lasts until the page is left. */
const memory = new Map<string, string>();
const PREFIX = 'anchorage.';

export const storageWorks = ((): boolean => {
  try {
    localStorage.setItem(`${PREFIX}probe`, '1');
    localStorage.removeItem(`${PREFIX}probe`);
    return true;
  } catch {
    return false;
  }
})();

export function readValue(key: string): string | null {
  if (!storageWorks) return memory.get(key) ?? null;
  return localStorage.getItem(PREFIX + key);
}

export function storeValue(key: string, value: string | null): void {
  if (value === null) memory.delete(key);
  else memory.set(key, value);
  try {
    if (value === null) localStorage.removeItem(PREFIX + key);
    else localStorage.setItem(PREFIX + key, value);
  } catch {
    // Full or disabled: `memory` has it, and the page says once that settings are not kept.
  }
}
