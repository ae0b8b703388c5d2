import './system.css';
import { useQuery } from '@tanstack/react-query';
import { useEffect } from 'react';
import { queryClient, systemQuery } from '@/api/queries';
import type { System } from '@/api/types';
import { detectBuffering } from '@/chat/live';
import { jobChanges } from '@/documents/jobs';
import { type Translate, useT } from '@/i18n';
import type { Key } from '@/i18n/en';
import { number } from '@/i18n/formats';
import { ProblemNote } from '@/ui/ProblemNote';
import { formatSize } from '@/ui/time';
import { useTitle } from '@/ui/useTitle';

type Tone = 'good' | 'bad' | 'off';

/** What is running, and in plain words what is wrong with what is not. */
export function SystemPage() {
  const t = useT();
  useTitle(t('system'));
  const found = useQuery({ ...systemQuery, refetchInterval: 10_000 });
  useEffect(() => jobChanges.subscribe(() => void queryClient.invalidateQueries(systemQuery)), []);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and holds nothing else to focus
    <main id="main" className="page" tabIndex={0}>
      <header className="page-head">
        <h1>{t('system')}</h1>
        {found.data && <p>{t(`system.${found.data.status}`)}</p>}
      </header>
      {found.isError && <ProblemNote error={found.error} onRetry={() => void found.refetch()} />}
      {found.data ? <Shown system={found.data} /> : !found.isError && <p className="quiet">{t('loading')}</p>}
    </main>
  );
}

function Shown({ system }: { system: System }) {
  const t = useT();
  const { databases, models, queue, limits } = system;
  const streams = useQuery({ queryKey: ['stream-check'], queryFn: detectBuffering, staleTime: 300_000 });
  const counts = (['queued', 'running', 'failed', 'done'] as const).map((name) => ({ name, count: queue[name] ?? 0 }));
  return (
    <>
      <section className="page-section">
        <h2>{t('system.parts')}</h2>
        <ul className="parts">
          <Part name={t('part.documents')} {...databaseWords(t, databases.vector ?? '')} />
          <Part name={t('part.conversations')} {...databaseWords(t, databases.state ?? '')} />
          {(['generator', 'embedder', 'reranker', 'guard'] as const).map((role) => (
            <Part key={role} name={t(`part.${role}`)} {...modelWords(t, role, models[role])} />
          ))}
          {streams.data !== undefined && (
            <Part
              name={t('part.streams')}
              tone={streams.data ? 'bad' : 'good'}
              words={t(streams.data ? 'stream.held' : 'part.streams.fine')}
            />
          )}
        </ul>
      </section>
      <section className="page-section">
        <h2>{t('system.queue')}</h2>
        <dl className="numbers">
          {counts.map(({ name, count }) => (
            <div key={name}>
              <dt>{t(`queue.${name}`)}</dt>
              <dd>{number(t.language, count)}</dd>
            </div>
          ))}
        </dl>
      </section>
      <section className="page-section">
        <h2>{t('system.limits')}</h2>
        <dl className="facts">
          <dt>{t('limit.file')}</dt>
          <dd>{formatSize(t.language, limits.max_file_bytes)}</dd>
          <dt>{t('limit.upload')}</dt>
          <dd>{formatSize(t.language, limits.max_upload_bytes)}</dd>
          <dt>{t('limit.question')}</dt>
          <dd>{t('characters', { count: limits.question_length })}</dd>
          <dt>{t('system.version')}</dt>
          <dd>{system.version}</dd>
        </dl>
      </section>
    </>
  );
}

function Part({ name, tone, words, model }: { name: string; tone: Tone; words: string; model?: string | undefined }) {
  return (
    <li className="part">
      <span className={`dot dot-${tone}`} aria-hidden="true" />
      <div>
        <b>{name}</b>
        {model && <code>{model}</code>}
        <p className="quiet">{words}</p>
      </div>
    </li>
  );
}

function databaseWords(t: Translate, word: string): { tone: Tone; words: string } {
  return word === 'connected'
    ? { tone: 'good', words: t('part.connected') }
    : { tone: 'bad', words: t('part.database-away') };
}

const STATES = ['unauthorized', 'wrong_address', 'unreachable', 'failing', 'not_configured'] as const;

function stateWords(t: Translate, state: string): string {
  const known = STATES.find((name) => name === state);
  return known ? t(`state.${known}`) : state;
}

type Role = keyof System['models'];

const MISSING: Record<Role, Key> = {
  generator: 'part.generator.off',
  embedder: 'part.embedder.off',
  reranker: 'part.reranker.off',
  guard: 'part.guard.off',
};

function modelWords(
  t: Translate,
  role: Role,
  model: System['models'][Role],
): { tone: Tone; words: string; model?: string } {
  if (model.model === null) return { tone: 'off', words: t(MISSING[role]) };
  const fine = model.state === 'available';
  const words = fine ? t('part.available') : t('part.model-away', { state: stateWords(t, model.state) });
  return { tone: fine ? 'good' : 'bad', words, model: model.model };
}
