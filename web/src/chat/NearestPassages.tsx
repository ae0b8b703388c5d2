import { useQuery } from '@tanstack/react-query';
import { ListTree } from 'lucide-react';
import { hitsQuery } from '@/api/queries';
import { useT } from '@/i18n';
import { placeOfHit, useSources } from '@/sources/context';
import { ProblemNote } from '@/ui/ProblemNote';
import type { Shown } from './shown';

const OFFERED = 3;

/** What came nearest to a question that the documents do not answer. */
export function NearestPassages({ shown }: { shown: Shown }) {
  const t = useT();
  const { open } = useSources();
  const asked = useQuery({ ...hitsQuery(shown.conversationId, shown.messageId), enabled: shown.hits === null });
  const hits = shown.hits ?? asked.data ?? [];
  if (asked.isError && shown.hits === null) {
    return (
      <div className="nearest">
        <ProblemNote error={asked.error} onRetry={() => void asked.refetch()} />
      </div>
    );
  }
  if (hits.length === 0) return null;
  return (
    <div className="nearest">
      <h4>{t('abstained.nearest')}</h4>
      <ul>
        {hits.slice(0, OFFERED).map((hit) => (
          <li key={hit.chunk_id}>
            <button
              type="button"
              className="nearest-item"
              onClick={() => open({ ...shown, hits, place: placeOfHit(hit) })}
            >
              <b>
                {hit.title}
                {hit.page ? ` · ${t('page', { page: hit.page })}` : ''}
              </b>
              <span>{hit.text}</span>
            </button>
          </li>
        ))}
      </ul>
      <button type="button" className="strip-item strip-all" onClick={() => open({ ...shown, hits, place: null })}>
        <ListTree aria-hidden="true" />
        {t('sources.explain')}
      </button>
    </div>
  );
}
