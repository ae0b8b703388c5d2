import { useSyncExternalStore } from 'react';
import { readValue, storeValue } from '@/ui/storage';
import { en, type Key, type Messages } from './en';
import { isOne, number } from './formats';

/** The languages by their own names. */
export const LANGUAGES = { en: 'English', de: 'Deutsch', fr: 'Français' } as const;
export type Language = keyof typeof LANGUAGES;

const loaders: Record<Exclude<Language, 'en'>, () => Promise<Messages>> = {
  de: async () => (await import('./de')).de,
  fr: async () => (await import('./fr')).fr,
};

let language: Language = 'en';
let messages: Messages = en;
let translate = translator('en', en);
const listeners = new Set<() => void>();

type Values = Record<string, string | number>;
export interface Translate {
  (key: Key, values?: Values): string;
  language: Language;
}

function isLanguage(name: string): name is Language {
  return Object.hasOwn(LANGUAGES, name);
}

/** The language that was chosen, else the first of the browser's that there is. */
export function wantedLanguage(chosen: string | null, browser: readonly string[]): Language {
  const names = [chosen ?? '', ...browser].map((name) => name.toLowerCase().split('-')[0] ?? '');
  return names.find(isLanguage) ?? 'en';
}

export async function setLanguage(wanted: Language, remember = true): Promise<void> {
  messages = wanted === 'en' ? en : await loaders[wanted]();
  language = wanted;
  translate = translator(wanted, messages);
  document.documentElement.lang = wanted;
  if (remember) storeValue('language', wanted);
  for (const listener of listeners) listener();
}

export function startLanguage(): Promise<void> {
  return setLanguage(wantedLanguage(readValue('language'), navigator.languages), false);
}

/** Fills in `{name}`; of a message with forms such as `{count|one passage|{count} passages}` the one that the number asks for. */
export function fill(language: string, message: string, values: Values = {}): string {
  if (!message.includes('{')) return message;
  const formed = message.replace(
    /\{(\w+)\|([^|{}]*(?:\{\w+\}[^|{}]*)*)\|([^|{}]*(?:\{\w+\}[^|{}]*)*)\}/g,
    (_, name, one, other) => (isOne(language, Number(values[name])) ? one : other),
  );
  return formed.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name];
    return typeof value === 'number' ? number(language, value) : (value ?? '');
  });
}

function translator(name: Language, texts: Messages): Translate {
  const translated = (key: Key, values?: Values) => fill(name, texts[key], values);
  return Object.assign(translated, { language: name });
}

export function useT(): Translate {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => translate,
  );
}

export function currentLanguage(): Language {
  return language;
}
