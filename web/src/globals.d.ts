declare const __PDFJS_VERSION__: string;
