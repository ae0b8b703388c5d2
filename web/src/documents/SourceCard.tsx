import { RefreshCw, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { asProblem } from '@/api/problem';
import { documentsKey, queryClient, removeSource, sourcesQuery, syncSource } from '@/api/queries';
import type { Source } from '@/api/types';
import { useT } from '@/i18n';
import { number } from '@/i18n/formats';
import { notify } from '@/ui/announce';
import { Button } from '@/ui/Button';
import { Confirm } from '@/ui/Confirm';
import { explainProblem } from '@/ui/ProblemNote';
import { Reason } from '@/ui/Reason';
import { formatTimeAgo } from '@/ui/time';
import { INTERVALS, intervalKey } from './intervals';

const TONES = { new: 'busy', syncing: 'busy', synced: 'good', held: 'bad', failed: 'bad' } as const;

export function SourceCard({ source }: { source: Source }) {
  const t = useT();
  const [removing, setRemoving] = useState(false);
  const [keep, setKeep] = useState(false);
  const sync = (confirm: boolean) =>
    syncSource(source.id, confirm).then(
      () => {
        notify(t('source.sync.asked'));
        void queryClient.invalidateQueries(sourcesQuery);
      },
      (error: unknown) => notify(explainProblem(t, asProblem(error)).title),
    );
  const remove = async () => {
    await removeSource(source.id, keep);
    notify(t('source.removed'));
    void queryClient.invalidateQueries(sourcesQuery);
    void queryClient.invalidateQueries({ queryKey: documentsKey });
  };
  const interval = INTERVALS.find((item) => item.seconds === source.every);
  const someFailed = source.status === 'synced' && source.failed > 0;
  return (
    <li className="card source">
      <div className="source-head">
        <b className="source-place">{source.location}</b>
        <span className={`badge badge-${someFailed ? 'bad' : TONES[source.status]}`}>
          {someFailed ? t('source.some-failed', { count: source.failed }) : t(`source.${source.status}`)}
        </span>
      </div>
      <p className="quiet">
        {t('source.into', { name: source.collection })} ·{' '}
        {source.every === null
          ? t('every.demand')
          : interval
            ? t(intervalKey(interval))
            : t('every.minutes', { count: Math.round(source.every / 60) })}
        {source.synced_at && ` · ${t('source.synced-ago', { ago: formatTimeAgo(t.language, source.synced_at) })}`}
      </p>
      <Report source={source} />
      {source.error && <Reason error={source.error} />}
      <div className="row-end">
        {source.status === 'held' && (
          <Button kind="danger" onClick={() => void sync(true)}>
            {t('source.confirm')}
          </Button>
        )}
        <Button onClick={() => void sync(false)} disabled={source.status === 'syncing'}>
          <RefreshCw aria-hidden="true" />
          {t('source.sync')}
        </Button>
        <Button kind="quiet" onClick={() => setRemoving(true)}>
          <Trash2 aria-hidden="true" />
          {t('source.remove')}
        </Button>
      </div>
      {removing && (
        <Confirm
          title={t('source.remove')}
          action={t('source.remove')}
          onConfirm={remove}
          onClose={() => setRemoving(false)}
        >
          <p>{t('source.remove.sure', { location: source.location })}</p>
          <label className="check">
            <input type="checkbox" checked={keep} onChange={(event) => setKeep(event.target.checked)} />
            {t('source.remove.keep')}
          </label>
        </Confirm>
      )}
    </li>
  );
}

const REPORTED = ['listed', 'queued', 'unchanged', 'deleted'] as const;

/** The numbers of the last sync. */
function Report({ source }: { source: Source }) {
  const t = useT();
  const numbers = REPORTED.flatMap((name) => {
    const value = source.report[name];
    return typeof value === 'number' && value > 0 ? [{ name, value }] : [];
  });
  if (numbers.length === 0) return null;
  return (
    <dl className="report">
      {numbers.map(({ name, value }) => (
        <div key={name}>
          <dt>{t(`report.${name}`)}</dt>
          <dd>{number(t.language, value)}</dd>
        </div>
      ))}
    </dl>
  );
}
