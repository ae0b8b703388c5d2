import './sources.css';
import { useQuery } from '@tanstack/react-query';
import { Download } from 'lucide-react';
import { lazy, Suspense, useState } from 'react';
import { Link } from 'wouter';
import { documentQuery } from '@/api/queries';
import type { DocumentWithText } from '@/api/types';
import { apiUrl } from '@/config';
import { useT } from '@/i18n';
import { ProblemNote } from '@/ui/ProblemNote';
import { Tabs } from '@/ui/Tabs';
import type { Place } from './context';
import { TextView } from './TextView';

const PdfView = lazy(() => import('./PdfView'));

/** A document, opened at a place: as its pages where it is a PDF, else as the text that was read from it. `alone`: on its own page. */
export function DocumentView({ place, alone = false }: { place: Place; alone?: boolean }) {
  const t = useT();
  const found = useQuery({ ...documentQuery(place.documentId, place.version), staleTime: 60_000 });
  if (found.isPending) {
    return (
      <p className="pad quiet" role="status">
        {t('loading')}
      </p>
    );
  }
  if (found.isError) {
    return (
      <div className="pad">
        <ProblemNote error={found.error} onRetry={() => void found.refetch()} />
        {place.quote && (
          <>
            <p>{t('document.quote-kept')}</p>
            <blockquote className="quote">{place.quote}</blockquote>
          </>
        )}
      </div>
    );
  }
  return <Shown document={found.data} place={place} alone={alone} />;
}

function Shown({ document, place, alone }: { document: DocumentWithText; place: Place; alone: boolean }) {
  const t = useT();
  const pdf = document.media_type === 'application/pdf' || /\.pdf$/i.test(document.uri);
  const pages = pdf && document.original;
  const [view, setView] = useState<'pages' | 'text'>(pages ? 'pages' : 'text');
  const content = apiUrl(`/api/documents/${document.document_id}/content`);
  return (
    <div className="document">
      <div className="document-bar">
        {pages ? (
          <Tabs
            label={t('document.view')}
            value={view}
            options={[
              ['pages', t('document.pages')],
              ['text', t('document.text')],
            ]}
            onChange={setView}
          />
        ) : (
          <span className="quiet">{t('document.text')}</span>
        )}
        <span className="spacer" />
        {!alone && <Link href={`/documents/${document.document_id}`}>{t('document.about')}</Link>}
        {document.original && (
          <a
            href={content}
            download
            className="icon-button"
            aria-label={t('document.download')}
            title={t('document.download')}
          >
            <Download aria-hidden="true" />
          </a>
        )}
      </div>
      {view === 'pages' ? (
        <Suspense
          fallback={
            <p className="pad quiet" role="status">
              {t('loading')}
            </p>
          }
        >
          <PdfView url={content} place={place} onFail={() => setView('text')} />
        </Suspense>
      ) : (
        <TextView text={document.text ?? ''} pages={document.pages} blocks={document.blocks} place={place} />
      )}
    </div>
  );
}
