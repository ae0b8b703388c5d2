/** A server-sent event. */
export interface ServerEvent {
  event: string;
  data: string;
  id: string | null;
}

/** Takes server-sent events apart, however the bytes were cut on their way (the WHATWG's event stream format). */
export class EventParser {
  private rest = '';
  private event = '';
  private data: string[] = [];
  private id: string | null = null;
  private started = false;

  /** The events that end in this piece of text. */
  feed(piece: string): ServerEvent[] {
    let text = this.rest + piece;
    if (!this.started && text) {
      text = text.replace(/^\uFEFF/, '');
      this.started = true;
    }
    const found: ServerEvent[] = [];
    let at = 0;
    for (;;) {
      const end = lineEnd(text, at);
      if (end === null) break;
      const line = text.slice(at, end.at);
      at = end.next;
      if (line) this.field(line);
      else this.dispatch(found);
    }
    this.rest = text.slice(at);
    return found;
  }

  private field(line: string): void {
    const colon = line.indexOf(':');
    if (colon === 0) return; // a comment
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'data') this.data.push(value);
    else if (name === 'event') this.event = value;
    else if (name === 'id' && !value.includes('\0')) this.id = value;
  }

  private dispatch(found: ServerEvent[]): void {
    if (this.data.length > 0) {
      found.push({ event: this.event || 'message', data: this.data.join('\n'), id: this.id });
    }
    this.event = '';
    this.data = [];
  }
}

function lineEnd(text: string, from: number): { at: number; next: number } | null {
  for (let at = from; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === 10) return { at, next: at + 1 };
    if (char === 13) {
      if (at + 1 === text.length) return null; // the next piece may begin with the \n of a \r\n
      return { at, next: text.charCodeAt(at + 1) === 10 ? at + 2 : at + 1 };
    }
  }
  return null;
}

/** The events of a response as they come, those together that came together. */
export async function* serverEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent[], void> {
  const parser = new EventParser();
  const reader = body.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield parser.feed(value);
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}
