import { FileText, ListTree } from 'lucide-react';
import { useT } from '@/i18n';
import { placeOf, useSources } from '@/sources/context';
import type { Shown } from './shown';

/** The documents that an answer cites, below it. */
export function SourceStrip({ shown }: { shown: Shown }) {
  const t = useT();
  const { open } = useSources();
  const { citations } = shown;
  // Those of a document stand together, in the order in which the answer comes to them.
  const byMarker = [...new Map(citations.map((item) => [item.marker, item])).values()].sort(
    (a, b) => a.marker - b.marker,
  );
  const documents = [...new Set(byMarker.map((item) => item.document_id))];
  const grouped = documents.flatMap((id) => byMarker.filter((item) => item.document_id === id));
  if (byMarker.length === 0) {
    return shown.abstained ? null : <p className="no-sources">{t('sources.none')}</p>;
  }
  return (
    <div className="strip" role="group" aria-label={t('sources')}>
      {/* Quotations name their places themselves. */}
      {(shown.units.length > 0 ? [] : grouped).map((citation) => (
        <button
          key={citation.marker}
          type="button"
          className="strip-item"
          onClick={() => open({ ...shown, place: placeOf(citation) })}
        >
          <span className="strip-marker">{citation.marker}</span>
          <FileText aria-hidden="true" />
          <span className="strip-title">{[citation.title, ...citation.heading_path.slice(-1)].join(' › ')}</span>
          {citation.page !== null && <span className="quiet">{t('page', { page: citation.page })}</span>}
        </button>
      ))}
      <button type="button" className="strip-item strip-all" onClick={() => open({ ...shown, place: null })}>
        <ListTree aria-hidden="true" />
        {t('sources.explain')}
      </button>
    </div>
  );
}
