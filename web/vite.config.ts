import react from '@vitejs/plugin-react';
import pdfjs from 'pdfjs-dist/package.json' with { type: 'json' };
import { defineConfig } from 'vite';

// Addresses are relative to the page's <base>, which the server sets; nothing is inlined, so that the page's policy can be strict.
export default defineConfig({
  base: './',
  logLevel: 'warn',
  plugins: [react()],
  resolve: { alias: { '@': new URL('./src', import.meta.url).pathname } },
  define: { __PDFJS_VERSION__: JSON.stringify(pdfjs.version) },
  build: {
    outDir: '../src/anchorage/static',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    manifest: 'manifest.json',
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
