/** A piece of a text: a word of the question, or what stands between two of them. */
export interface Part {
  at: number;
  text: string;
  asked: boolean;
}

const SHORTEST = 4;
/** Letters at the end in which inflections of a word may differ: `opened`, `opening`. */
const ENDING = 3;

/** Splits a text at the words that the question has too. */
export function splitAtWords(text: string, question: string): Part[] {
  const asked = (question.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? []).filter((word) => word.length >= SHORTEST);
  const parts: Part[] = [];
  let from = 0;
  const add = (to: number, asked: boolean) => {
    if (to > from) parts.push({ at: from, text: text.slice(from, to), asked });
    from = to;
  };
  for (const word of text.matchAll(/[\p{L}\p{N}_]+/gu)) {
    if (!asked.some((other) => isAlike(word[0].toLowerCase(), other))) continue;
    add(word.index, false);
    add(word.index + word[0].length, true);
  }
  add(text.length, false);
  return parts;
}

function isAlike(word: string, other: string): boolean {
  const length = Math.max(SHORTEST, Math.max(word.length, other.length) - ENDING);
  return word.length >= length && word.slice(0, length) === other.slice(0, length);
}

const SENTENCE = /^\s*\p{L}[^\n]*\s\S[\s\S]*[.:：。!?]\s*$/u;

/** The sentence before a piece of code, and the code. */
export function splitCode(quote: string): { lead: string; code: string } {
  const end = quote.search(/\n\s*\n/);
  const lead = end < 0 ? '' : quote.slice(0, end);
  if (!SENTENCE.test(lead)) return { lead: '', code: quote };
  return {
    lead: lead.replace(/\s+/g, ' ').trim(),
    code: quote
      .slice(end)
      .replace(/^\s*\n/, '')
      .replace(/^\n+/, ''),
  };
}

const BULLET = /^\s*(?:[-*+•‣◦▪●]|\(?\d{1,3}[.)])\s+/;

/** The sentence before a list, and its items without their signs. A line that begins with none goes on with the one before. */
export function splitList(quote: string): { lead: string; items: string[] } {
  const lines = quote.split('\n').filter((line) => line.trim());
  const signed = lines.some((line) => BULLET.test(line));
  const lead: string[] = [];
  const items: string[] = [];
  lines.forEach((line, number) => {
    const last = items.length - 1;
    if (BULLET.test(line) || (!signed && number > 0)) items.push(line.replace(BULLET, '').trim());
    else if (last < 0) lead.push(line.trim());
    else items[last] = `${items[last]} ${line.trim()}`;
  });
  return { lead: lead.join(' '), items };
}

/** The cells of a row, `Name: value | Name: value`. */
export function listCells(row: string): { at: number; name: string; value: string }[] {
  return row.split(' | ').map((cell, at) => {
    const end = cell.indexOf(': ');
    return end < 0
      ? { at, name: '', value: cell.trim() }
      : { at, name: cell.slice(0, end).trim(), value: cell.slice(end + 2).trim() };
  });
}
