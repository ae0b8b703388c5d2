import '@/sources/sources.css';
import './documents.css';
import { useQuery } from '@tanstack/react-query';
import { Plus } from 'lucide-react';
import { useEffect, useState } from 'react';
import { queryClient, sourcesQuery } from '@/api/queries';
import { useT } from '@/i18n';
import { Button } from '@/ui/Button';
import { ListProblem, ProblemNote } from '@/ui/ProblemNote';
import { useTitle } from '@/ui/useTitle';
import { AddSource } from './AddSource';
import { jobChanges } from './jobs';
import { SourceCard } from './SourceCard';

/** What is kept in sync: where it is, how its last sync went, what is wrong with it. */
export function SourcesPage() {
  const t = useT();
  useTitle(t('sources.registered'));
  const found = useQuery(sourcesQuery);
  const [adding, setAdding] = useState(false);
  useEffect(
    () =>
      jobChanges.subscribe((job) => {
        if (job.source_id) void queryClient.invalidateQueries(sourcesQuery);
      }),
    [],
  );
  const sources = found.data ?? [];
  return (
    <main id="main" className="page" tabIndex={-1}>
      <header className="page-head with-action">
        <div>
          <h1>{t('sources.registered')}</h1>
          <p>{t('sources.about')}</p>
        </div>
        <Button kind="primary" onClick={() => setAdding(true)}>
          <Plus aria-hidden="true" />
          {t('source.add')}
        </Button>
      </header>
      <ListProblem found={found} />
      {found.isError && !found.data ? (
        <ProblemNote error={found.error} onRetry={() => void found.refetch()} />
      ) : found.isPending ? (
        <p className="quiet">{t('loading')}</p>
      ) : sources.length === 0 ? (
        <p className="empty">{t('sources.none-registered')}</p>
      ) : (
        <ul className="cards">
          {sources.map((source) => (
            <SourceCard key={source.id} source={source} />
          ))}
        </ul>
      )}
      {adding && <AddSource onClose={() => setAdding(false)} />}
    </main>
  );
}
