import { GlobalWorkerOptions, getDocument, type PDFDocumentProxy, type RenderTask, TextLayer } from 'pdfjs-dist';
import workerUrl from 'pdfjs-dist/build/pdf.worker.min.mjs?url';
import { quoteRange } from './quote';

GlobalWorkerOptions.workerSrc = new URL(workerUrl, document.baseURI).href;

/** Where the build puts what pdf.js loads by itself: character maps and the fonts that every reader of PDFs has. */
const files = new URL(`assets/pdf-${__PDFJS_VERSION__}/`, document.baseURI).href;

export interface Drawing {
  done: Promise<void>;
  cancel: () => void;
}

export interface OpenPdf {
  pages: number;
  /** Draws a page into an element, so wide, with the quote marked where it is found. */
  draw: (page: number, into: HTMLElement, width: number, quote: string) => Drawing;
  close: () => void;
}

export async function openPdf(data: ArrayBuffer): Promise<OpenPdf> {
  const task = getDocument({
    data,
    cMapUrl: `${files}cmaps/`,
    standardFontDataUrl: `${files}standard_fonts/`,
    wasmUrl: `${files}wasm/`,
    enableXfa: false,
  });
  const found = await task.promise;
  return { pages: found.numPages, draw: (...what) => draw(found, ...what), close: () => void task.destroy() };
}

function draw(pdf: PDFDocumentProxy, number: number, into: HTMLElement, width: number, quote: string): Drawing {
  let cancelled = false;
  let rendering: RenderTask | null = null;
  const run = async () => {
    const page = await pdf.getPage(number);
    const scale = width / page.getViewport({ scale: 1 }).width;
    const viewport = page.getViewport({ scale });
    const sharp = Math.min(window.devicePixelRatio || 1, 2);
    const canvas = document.createElement('canvas');
    canvas.width = Math.floor(viewport.width * sharp);
    canvas.height = Math.floor(viewport.height * sharp);
    canvas.setAttribute('aria-hidden', 'true');
    if (cancelled) return;
    rendering = page.render({ canvas, viewport: page.getViewport({ scale: scale * sharp }) });
    await rendering.promise;
    const layer = document.createElement('div');
    layer.className = 'textLayer';
    const text = new TextLayer({ textContentSource: page.streamTextContent(), container: layer, viewport });
    await text.render();
    if (cancelled) return;
    into.style.width = `${viewport.width}px`;
    into.style.height = `${viewport.height}px`;
    into.style.setProperty('--total-scale-factor', String(scale));
    into.replaceChildren(canvas, layer);
    if (quote) mark(into, layer, text.textDivs, quote);
  };
  return {
    done: run(),
    cancel: () => {
      cancelled = true;
      rendering?.cancel();
    },
  };
}

/** Lays marks over the words of a quote. */
function mark(sheet: HTMLElement, layer: HTMLElement, divs: readonly HTMLElement[], quote: string): void {
  const found = quoteRange(
    divs.map((div) => div.textContent ?? ''),
    quote,
  );
  if (!found) return;
  const origin = sheet.getBoundingClientRect();
  for (let index = found.from.part; index <= found.to.part; index++) {
    const node = divs[index]?.firstChild;
    if (!node) continue;
    const range = document.createRange();
    range.setStart(node, index === found.from.part ? found.from.offset : 0);
    range.setEnd(node, index === found.to.part ? found.to.offset : (node.textContent ?? '').length);
    for (const box of range.getClientRects()) {
      const overlay = document.createElement('div');
      overlay.className = 'pdf-mark';
      overlay.style.left = `${box.left - origin.left}px`;
      overlay.style.top = `${box.top - origin.top}px`;
      overlay.style.width = `${box.width}px`;
      overlay.style.height = `${box.height}px`;
      sheet.insertBefore(overlay, layer);
    }
  }
}
