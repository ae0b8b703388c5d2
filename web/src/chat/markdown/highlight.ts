import type { Root } from 'hast';
import { common, createLowlight } from 'lowlight';

const lowlight = createLowlight(common);
const LONGEST = 50_000; // characters; colouring more holds the page up

/** The code as a tree of coloured pieces; null for a language that is not known. */
export function highlightCode(code: string, language: string): Root | null {
  if (!lowlight.registered(language) || code.length > LONGEST) return null;
  return lowlight.highlight(language, code);
}
