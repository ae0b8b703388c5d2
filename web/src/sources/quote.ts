/** A place in one of the parts of a text, in units. */
export interface PartPlace {
  part: number;
  offset: number;
}

const SHORTEST = 12; // letters of a quote's beginning or end that are enough to find it by

/**
 * Where a quote stands in a text that comes in parts, as a PDF's does: by its letters and digits alone, since two readers of a PDF differ in
 * spaces, hyphens and ligatures. Of a quote that goes on on another page, the part on this one. Null where it is not found.
 */
export function quoteRange(parts: readonly string[], quote: string): { from: PartPlace; to: PartPlace } | null {
  const letters: string[] = [];
  const places: PartPlace[] = [];
  parts.forEach((part, index) => {
    let offset = 0;
    for (const char of part) {
      for (const letter of plain(char)) {
        letters.push(letter);
        places.push({ part: index, offset });
      }
      offset += char.length;
    }
  });
  const text = letters.join('');
  const wanted = Array.from(quote).flatMap(plain).join('');
  const found = wanted ? longest(text, wanted) : null;
  if (!found) return null;
  const from = places[found.start];
  const last = places[found.end - 1];
  if (!from || !last) return null;
  const width = String.fromCodePoint(parts[last.part]?.codePointAt(last.offset) ?? 32).length;
  return { from, to: { part: last.part, offset: last.offset + width } };
}

function plain(char: string): string[] {
  return Array.from(char.normalize('NFKD').toLowerCase()).filter(
    (letter) => letter.length === 1 && /[\p{L}\p{N}]/u.test(letter),
  );
}

/** Where the text holds what is wanted: all of it, or its beginning at the text's end, or its end at the text's beginning. */
function longest(text: string, wanted: string): { start: number; end: number } | null {
  const whole = text.indexOf(wanted);
  if (whole >= 0) return { start: whole, end: whole + wanted.length };
  const head = text.indexOf(wanted.slice(0, SHORTEST));
  if (wanted.length > SHORTEST && head >= 0) {
    let length = SHORTEST;
    while (length < wanted.length && text[head + length] === wanted[length]) length += 1;
    return { start: head, end: head + length };
  }
  for (let length = wanted.length - 1; length >= SHORTEST; length--) {
    if (text.startsWith(wanted.slice(-length))) return { start: 0, end: length };
  }
  return null;
}
