const CODE = /(```[\s\S]*?(?:```|$)|`[^`\n]*`)/;
// As pandoc has it: no space inside, no digit behind, so that prices are no formulas; and something in it that looks like TeX.
const SINGLE = /(?<![\\$\w])\$(?![\s$])[^$\n]*[\\^_{=][^$\n]*(?<![\s\\])\$(?![\d$])/;

/** The source with TeX's own delimiters, `\(` and `\[`, made those of Markdown, which are as long: offsets stay what they are. */
export function convertDelimiters(text: string): string {
  if (!text.includes('\\(') && !text.includes('\\[')) return text;
  return text
    .split(CODE)
    .map((part, index) =>
      index % 2
        ? part
        : part.replace(/\\\[([\s\S]+?)\\\]|\\\((.+?)\\\)/g, (_, block, inline) => `$$${block ?? inline}$$`),
    )
    .join('');
}

export function hasSingleDollars(source: string): boolean {
  return SINGLE.test(withoutCode(source));
}

export function hasMath(source: string): boolean {
  if (!source.includes('$')) return false;
  return /\$\$[\s\S]+?\$\$/.test(withoutCode(source)) || hasSingleDollars(source);
}

function withoutCode(source: string): string {
  return source
    .split(CODE)
    .filter((_, index) => index % 2 === 0)
    .join('');
}
