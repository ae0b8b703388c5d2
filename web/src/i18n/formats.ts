/** Formats of a language: quick to use but slow to make, so each is made once. */
function perLanguage<Format>(make: (language: string) => Format): (language: string) => Format {
  const made = new Map<string, Format>();
  return (language) => {
    let known = made.get(language);
    if (known === undefined) {
      known = make(language);
      made.set(language, known);
    }
    return known;
  };
}

const plurals = perLanguage((language) => new Intl.PluralRules(language));
const numbers = perLanguage((language) => new Intl.NumberFormat(language));

export const relativeTime = perLanguage((language) => new Intl.RelativeTimeFormat(language, { numeric: 'auto' }));

/** Whether so many take the form of one. */
export function isOne(language: string, count: number): boolean {
  return plurals(language).select(count) === 'one';
}

/** "1,234.5" */
export function number(language: string, value: number): string {
  // These look the same in all languages of the page, and most are such.
  return Number.isInteger(value) && value >= 0 && value < 1000 ? String(value) : numbers(language).format(value);
}
