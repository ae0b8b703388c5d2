import { useQuery } from '@tanstack/react-query';
import { Suspense, useCallback, useEffect, useMemo, useState, useSyncExternalStore } from 'react';
import { useLocation } from 'wouter';
import { asProblem } from '@/api/problem';
import { conversationQuery } from '@/api/queries';
import { useT } from '@/i18n';
import { type Opened, SourcesContext } from '@/sources/context';
import { Banner } from '@/ui/Banner';
import { LayerContext } from '@/ui/layer';
import { loadLazily } from '@/ui/loadLazily';
import { ProblemNote } from '@/ui/ProblemNote';
import { Composer } from './Composer';
import { ConversationHeader } from './ConversationHeader';
import { readDraft } from './draft';
import { Greeting, Starters } from './Greeting';
import { newId } from './ids';
import { Thread } from './lazyThread';
import { liveAnswers } from './live';
import { useOtherDevices } from './useOtherDevices';

const SourcePanel = loadLazily(async () => (await import('@/rest')).SourcePanel);

/** A conversation, or with no id the start of one. */
export function ChatPage({ id }: { id: string | null }) {
  const t = useT();
  const [, navigate] = useLocation();
  const buffered = useSyncExternalStore(liveAnswers.subscribe, liveAnswers.areBuffered);
  const live = useSyncExternalStore(liveAnswers.subscribe, () => (id ? liveAnswers.get(id) : undefined));
  // What was not answered yet is no conversation for the server: then the live answer alone is shown.
  const found = useQuery({
    ...conversationQuery(id ?? ''),
    enabled: (query) => id !== null && (live === undefined || query.state.data !== undefined),
    retry: (count, error) => count < 2 && asProblem(error).status !== 404 && asProblem(error).temporary,
  });
  const [layer, setLayer] = useState<HTMLElement | null>(null);
  const [opened, setOpened] = useState<Opened | null>(null);
  const sources = useMemo(() => ({ opened, open: setOpened }), [opened]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: what is open belongs to a conversation
  useEffect(() => setOpened(null), [id]);
  useOtherDevices(id, found.data !== undefined);
  useEffect(() => {
    const title = found.data?.title;
    document.title = id && title ? `${title} · Anchorage` : 'Anchorage';
  }, [id, found.data?.title]);

  const ask = useCallback(
    (text: string, options: { insteadOf?: string; again?: boolean; collection?: string | null } = {}) => {
      const conversationId = id ?? newId();
      const { insteadOf = null, again = false, collection = null } = options;
      liveAnswers.ask({ conversationId, messageId: newId(), text, insteadOf, again, collection });
      if (!id) navigate(`/c/${conversationId}`);
    },
    [id, navigate],
  );

  const missing = found.error && !found.data && !live;
  const empty = !id || (missing && asProblem(found.error).status === 404);
  return (
    <SourcesContext value={sources}>
      <div className={opened ? 'chat with-sources' : 'chat'}>
        <main ref={setLayer} id="main" className={empty ? 'chat-main begin' : 'chat-main'} tabIndex={-1}>
          <LayerContext value={layer}>
            {buffered && (
              <Banner tone="warning" onClose={() => liveAnswers.setBuffered(false)}>
                {t('stream.held')}
              </Banner>
            )}
            {found.data ? (
              <ConversationHeader conversation={found.data} />
            ) : (
              live && (
                <header className="chat-head">
                  <h1>{live.question.text}</h1>
                </header>
              )
            )}
            {empty ? (
              <Greeting lost={id !== null && !readDraft(id)} />
            ) : missing ? (
              <div className="column pad">
                <ProblemNote error={found.error} onRetry={() => void found.refetch()} />
              </div>
            ) : found.data || live ? (
              <Suspense fallback={<Waiting />}>
                <Thread key={`thread ${id}`} id={id} turns={found.data?.turns ?? []} live={live} ask={ask} />
              </Suspense>
            ) : (
              <Waiting />
            )}
            <Composer key={`composer ${id}`} id={id} live={live} onAsk={ask} />
            {empty && <Starters onAsk={ask} />}
          </LayerContext>
        </main>
        {opened && (
          <Suspense fallback={<aside className="sources" aria-busy="true" />}>
            <SourcePanel />
          </Suspense>
        )}
      </div>
    </SourcesContext>
  );
}

function Waiting() {
  const t = useT();
  return (
    <p className="thread column pad quiet" role="status">
      {t('loading')}
    </p>
  );
}
