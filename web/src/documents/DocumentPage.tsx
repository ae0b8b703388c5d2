import '@/sources/sources.css';
import './documents.css';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { ArrowLeft, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { Link, useLocation } from 'wouter';
import { chunkPage, documentQuery } from '@/api/queries';
import type { Chunk, DocumentWithText } from '@/api/types';
import { useT } from '@/i18n';
import type { Place } from '@/sources/context';
import { DocumentView } from '@/sources/DocumentView';
import { Button } from '@/ui/Button';
import { ListProblem, ProblemNote } from '@/ui/ProblemNote';
import { Reason } from '@/ui/Reason';
import { Tabs } from '@/ui/Tabs';
import { formatSize } from '@/ui/time';
import { useTitle } from '@/ui/useTitle';
import { DeleteDocument, nameOf } from './DocumentList';
import { StatusBadge } from './StatusBadge';

/** One document: what is known of it, its passages, and the document itself. */
export function DocumentPage({ id }: { id: string }) {
  const t = useT();
  const found = useQuery(documentQuery(id, null));
  useTitle(found.data?.title || t('documents'));
  return (
    <main id="main" className="page page-wide" tabIndex={-1}>
      <Link href="/documents" className="back">
        <ArrowLeft aria-hidden="true" />
        {t('documents')}
      </Link>
      {found.data ? (
        <Shown document={found.data} />
      ) : found.isError ? (
        <ProblemNote error={found.error} onRetry={() => void found.refetch()} />
      ) : (
        <p className="quiet" role="status">
          {t('loading')}
        </p>
      )}
    </main>
  );
}

function Shown({ document }: { document: DocumentWithText }) {
  const t = useT();
  const [, navigate] = useLocation();
  const [view, setView] = useState<'document' | 'passages'>('document');
  const [place, setPlace] = useState<Place>(() => placeIn(document, null));
  const [deleting, setDeleting] = useState(false);
  return (
    <>
      <header className="page-head">
        <h1>{document.title || nameOf(document.uri)}</h1>
        <p className="document-facts">
          <StatusBadge status={document.status} />
          <span>{document.collection}</span>
          <span>{t('passages', { count: document.chunks })}</span>
          {document.size > 0 && <span>{formatSize(t.language, document.size)}</span>}
          <span className="document-uri">{document.uri}</span>
        </p>
        {document.error && <Reason error={document.error} />}
      </header>
      <div className="section-head">
        <Tabs
          label={t('document.view')}
          value={view}
          options={[
            ['document', t('document')],
            ['passages', t('document.passages')],
          ]}
          onChange={setView}
        />
        <span className="spacer" />
        <Button kind="danger" onClick={() => setDeleting(true)}>
          <Trash2 aria-hidden="true" />
          {t('delete')}
        </Button>
      </div>
      {view === 'document' ? (
        <div className="document-frame">
          <DocumentView key={place.start} place={place} alone />
        </div>
      ) : (
        <Passages
          id={document.document_id}
          onShow={(chunk) => {
            setPlace(placeIn(document, chunk));
            setView('document');
          }}
        />
      )}
      {deleting && (
        <DeleteDocument
          document={document}
          onClose={() => setDeleting(false)}
          onDeleted={() => navigate('/documents')}
        />
      )}
    </>
  );
}

function placeIn(document: DocumentWithText, chunk: Chunk | null): Place {
  const { document_id, title, uri } = document;
  const { page, start, end, text } = chunk ?? { page: null, start: 0, end: 0, text: '' };
  return { documentId: document_id, version: null, title, uri, page, start, end, quote: text };
}

function Passages({ id, onShow }: { id: string; onShow: (chunk: Chunk) => void }) {
  const t = useT();
  const found = useInfiniteQuery({
    queryKey: ['chunks', id],
    queryFn: ({ pageParam }) => chunkPage(id, pageParam),
    initialPageParam: -1,
    getNextPageParam: (page) => page.next,
  });
  if (found.isError && !found.data) return <ProblemNote error={found.error} onRetry={() => void found.refetch()} />;
  if (found.isPending) {
    return (
      <p className="quiet" role="status">
        {t('loading')}
      </p>
    );
  }
  const chunks = found.data?.pages.flatMap((page) => page.chunks) ?? [];
  if (chunks.length === 0) return <p className="empty">{t('document.no-text')}</p>;
  return (
    <>
      <ol className="cards">
        {chunks.map((chunk) => (
          <li key={chunk.chunk_id} className="card">
            <button type="button" className="card-open" onClick={() => onShow(chunk)}>
              <b>{t('passage', { number: chunk.ordinal + 1 })}</b>
              {chunk.page !== null && <span className="quiet">{t('page', { page: chunk.page })}</span>}
              {chunk.heading_path.length > 0 && <span className="quiet">{chunk.heading_path.join(' › ')}</span>}
            </button>
            <p className="card-text">{chunk.text}</p>
          </li>
        ))}
      </ol>
      <ListProblem found={found} />
      {found.hasNextPage && !found.isFetchNextPageError && (
        <Button className="more" disabled={found.isFetchingNextPage} onClick={() => void found.fetchNextPage()}>
          {t('more')}
        </Button>
      )}
    </>
  );
}
