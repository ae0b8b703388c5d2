import { createContext, useContext } from 'react';
import type { Citation, Hit } from '@/api/types';

/** What the panel beside the answer shows: the sources of an answer, with one of them opened or not. */
export interface Opened {
  conversationId: string;
  messageId: string;
  citations: Citation[];
  /** Known while an answer is fresh; else they are asked for. */
  hits: Hit[] | null;
  abstained: boolean;
  /** The place that is shown in its document. */
  place: Place | null;
}

export interface Place {
  documentId: string;
  version: string | null;
  title: string;
  uri: string;
  page: number | null;
  start: number;
  end: number;
  quote: string;
}

interface Sources {
  opened: Opened | null;
  open: (opened: Opened | null) => void;
}

export const SourcesContext = createContext<Sources>({ opened: null, open: () => undefined });

export function useSources(): Sources {
  return useContext(SourcesContext);
}

export function placeOf(citation: Citation): Place {
  const { document_id, version, title, uri, page, start, end, quote } = citation;
  return { documentId: document_id, version, title, uri, page, start, end, quote };
}

export function placeOfHit(hit: Hit): Place {
  const { document_id, version, title, uri, page, start, end, text } = hit;
  return { documentId: document_id, version, title, uri, page, start, end, quote: text };
}
