import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { de } from '@/i18n/de';
import { en } from '@/i18n/en';
import { fr } from '@/i18n/fr';

vi.stubGlobal('localStorage', { getItem: () => null, setItem: () => undefined, removeItem: () => undefined });
const { fill, wantedLanguage } = await import('@/i18n');

const names = (message: string) => [...new Set([...message.matchAll(/\{(\w+)/g)].map((match) => match[1]))].sort();

describe('the languages', () => {
  for (const [name, messages] of Object.entries({ de, fr })) {
    test(`${name} says all that English says, with the same values`, () => {
      expect(Object.keys(messages).sort()).toEqual(Object.keys(en).sort());
      for (const [key, message] of Object.entries(en)) {
        expect(names(messages[key as keyof typeof en]), key).toEqual(names(message));
      }
    });
  }

  test('every message is used', () => {
    const root = new URL('../src', import.meta.url).pathname;
    const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
      (file) => /\.tsx?$/.test(file) && !file.startsWith('i18n'),
    );
    const source = files.map((file) => readFileSync(join(root, file), 'utf8')).join('\n');
    const made = [...source.matchAll(/`([\w.]+\.)\$\{/g)].map((match) => match[1] ?? '');
    const unused = Object.keys(en).filter(
      (key) => !source.includes(`'${key}'`) && !made.some((prefix) => key.startsWith(prefix)),
    );
    expect(unused).toEqual([]);
  });

  test('the first of the wanted ones that there is is taken', () => {
    expect(wantedLanguage(null, ['pt-BR', 'fr-CA', 'en'])).toBe('fr');
    expect(wantedLanguage('de', ['fr'])).toBe('de');
    expect(wantedLanguage('xx', ['ja'])).toBe('en');
    expect(wantedLanguage('constructor', [])).toBe('en');
  });

  test('numbers choose their form and are written as the language writes them', () => {
    expect(fill('en', en.passages, { count: 1 })).toBe('one passage');
    expect(fill('de', de.passages, { count: 1234 })).toBe('1.234 Stellen');
    expect(fill('fr', fr.passages, { count: 0 })).toBe('un passage');
    expect(fill('en', en['document.delete.sure'], { title: '{count|a|b}' })).toContain('{count|a|b}');
  });
});
