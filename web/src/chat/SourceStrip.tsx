import { FileText, ListTree } from 'lucide-react';
import { useT } from '@/i18n';
import { placeOf, useSources } from '@/sources/context';
import type { Shown } from './shown';

/** The documents that an answer cites, below it. */
export function SourceStrip({ shown }: { shown: Shown }) {
  const t = useT();
  const { open } = useSources();
  const { citations } = shown;
  const byMarker = [...new Map(citations.map((item) => [item.marker, item])).values()].sort(
    (a, b) => a.marker - b.marker,
  );
  if (byMarker.length === 0) {
    return shown.abstained ? null : <p className="no-sources">{t('sources.none')}</p>;
  }
  return (
    <section className="strip" aria-label={t('sources')}>
      {byMarker.map((citation) => (
        <button
          key={citation.marker}
          type="button"
          className="strip-item"
          onClick={() => open({ ...shown, place: placeOf(citation) })}
        >
          <span className="strip-marker">{citation.marker}</span>
          <FileText aria-hidden="true" />
          <span className="strip-title">{citation.title}</span>
          {citation.page !== null && <span className="quiet">{t('page', { page: citation.page })}</span>}
        </button>
      ))}
      <button type="button" className="strip-item strip-all" onClick={() => open({ ...shown, place: null })}>
        <ListTree aria-hidden="true" />
        {t('sources.explain')}
      </button>
    </section>
  );
}
