import './sources.css';
import { useQuery } from '@tanstack/react-query';
import { ArrowLeft, X } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { hitsQuery } from '@/api/queries';
import type { Citation, Hit } from '@/api/types';
import { useT } from '@/i18n';
import { IconButton } from '@/ui/Button';
import { ProblemNote } from '@/ui/ProblemNote';
import { type Opened, type Place, placeOf, placeOfHit, useSources } from './context';
import { DocumentView } from './DocumentView';
import { Explanation } from './Explanation';

/** Beside the answer: its sources, and one of them opened at the place that supports it. */
export function SourcePanel() {
  const t = useT();
  const { opened, open } = useSources();
  const panel = useRef<HTMLElement>(null);
  const [before] = useState(() => document.activeElement);
  const key = `${opened?.messageId} ${opened?.place?.documentId} ${opened?.place?.start}`;
  // biome-ignore lint/correctness/useExhaustiveDependencies: focus follows what is opened
  useEffect(() => panel.current?.focus(), [key]);
  if (!opened) return null;
  const close = () => {
    open(null);
    if (before instanceof HTMLElement && before.isConnected) before.focus();
  };
  const { place } = opened;
  return (
    <aside
      ref={panel}
      className="sources"
      aria-label={t('sources')}
      tabIndex={-1}
      onKeyDown={(event) => {
        if (event.key === 'Escape') close();
      }}
    >
      <header className="sources-head">
        {place && (
          <IconButton icon={ArrowLeft} label={t('sources.all')} onClick={() => open({ ...opened, place: null })} />
        )}
        <h2>{place ? place.title : t('sources')}</h2>
        <IconButton icon={X} label={t('close')} onClick={close} />
      </header>
      {place ? (
        <DocumentView key={`${place.documentId} ${place.version}`} place={place} />
      ) : (
        <SourceList opened={opened} />
      )}
    </aside>
  );
}

function SourceList({ opened }: { opened: Opened }) {
  const t = useT();
  const { open } = useSources();
  const { citations } = opened;
  const asked = useQuery({ ...hitsQuery(opened.conversationId, opened.messageId), enabled: opened.hits === null });
  const hits = opened.hits ?? asked.data ?? [];
  const show = (place: Place) => open({ ...opened, place });
  const others = hits.filter((hit) => !citations.some((citation) => covers(hit, citation)));
  return (
    <div className="sources-body">
      {citations.length > 0 && (
        <section>
          <h3>{t('sources.cited')}</h3>
          <ol className="cards">
            {citations.map((citation, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: citations have no id and never change their order
              <li key={index} className="card">
                <button type="button" className="card-open" onClick={() => show(placeOf(citation))}>
                  <span className="strip-marker">{citation.marker}</span>
                  <b>{citation.title}</b>
                  {citation.page !== null && <span className="quiet">{t('page', { page: citation.page })}</span>}
                </button>
                <blockquote>{citation.quote}</blockquote>
                {!sameWords(citation.claim, citation.quote) && (
                  <p className="card-claim">{t('sources.supports', { claim: citation.claim })}</p>
                )}
                <Explanation hits={hits} rank={hits.findIndex((hit) => covers(hit, citation))} />
              </li>
            ))}
          </ol>
        </section>
      )}
      {opened.hits === null && asked.isPending && (
        <p className="quiet" role="status">
          {t('loading')}
        </p>
      )}
      {opened.hits === null && asked.isError && (
        <ProblemNote error={asked.error} onRetry={() => void asked.refetch()} />
      )}
      {others.length > 0 && (
        <section>
          <h3>{t(opened.abstained ? 'abstained.nearest' : 'sources.others')}</h3>
          <ol className="cards">
            {others.map((hit) => (
              <li key={hit.chunk_id} className="card">
                <button type="button" className="card-open" onClick={() => show(placeOfHit(hit))}>
                  <b>{hit.title}</b>
                  {hit.page !== null && <span className="quiet">{t('page', { page: hit.page })}</span>}
                </button>
                <blockquote className="clamped">{hit.text}</blockquote>
                <Explanation hits={hits} rank={hits.indexOf(hit)} />
              </li>
            ))}
          </ol>
        </section>
      )}
    </div>
  );
}

/** A quotation supports itself, which need not be said. */
function sameWords(claim: string, quote: string): boolean {
  const words = (text: string) => text.replace(/[^\p{L}\p{N}]+/gu, ' ').trim();
  return words(claim) === words(quote);
}

function covers(hit: Hit, citation: Citation): boolean {
  return hit.document_id === citation.document_id && hit.start <= citation.start && citation.start < hit.end;
}
