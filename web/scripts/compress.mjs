// After the build: puts beside it what pdf.js loads by itself, and packs all files, so that the server need not.
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import pdfjs from 'pdfjs-dist/package.json' with { type: 'json' };

const assets = new URL('../../src/anchorage/static/assets/', import.meta.url);
const packages = new URL('../node_modules/', import.meta.url);
for (const folder of ['cmaps', 'standard_fonts', 'wasm']) {
  cpSync(new URL(`pdfjs-dist/${folder}`, packages), new URL(`pdf-${pdfjs.version}/${folder}`, assets), {
    recursive: true,
  });
}
for (const name of readdirSync(assets)) {
  if (!/\.(js|mjs|css|svg)$/.test(name)) continue;
  const content = readFileSync(new URL(name, assets));
  const params = { [constants.BROTLI_PARAM_SIZE_HINT]: content.length };
  writeFileSync(new URL(`${name}.br`, assets), brotliCompressSync(content, { params }));
  writeFileSync(new URL(`${name}.gz`, assets), gzipSync(content, { level: 9 }));
}
