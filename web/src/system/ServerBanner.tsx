import { useEffect, useState, useSyncExternalStore } from 'react';
import { asProblem } from '@/api/problem';
import { queryClient } from '@/api/queries';
import { apiUrl } from '@/config';
import { useT } from '@/i18n';
import { Banner } from '@/ui/Banner';
import { Button } from '@/ui/Button';

type State = 'fine' | 'away' | 'login';
const PAUSES = [1000, 2000, 4000, 8000, 15_000]; // milliseconds

let state: State = 'fine';
const listeners = new Set<() => void>();

function become(next: State): void {
  if (next === state) return;
  state = next;
  for (const listener of listeners) listener();
}

/** Takes note of a failed request: whether the server is away, or the login has expired. */
export function judge(error: unknown): void {
  const { status } = asProblem(error);
  if (status === 0) become('away');
  if (status === 401) become('login');
}

queryClient.getQueryCache().subscribe((event) => {
  if (event.type !== 'updated') return;
  if (event.action.type === 'failed' || event.action.type === 'error') judge(event.action.error);
  if (event.action.type === 'success') become('fine');
});

/** Says that the server does not answer, or that the login has expired; looks whether it is back, and then reads everything anew. */
export function ServerBanner() {
  const t = useT();
  const current = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => state,
  );
  const [tries, setTries] = useState(0);
  useEffect(() => {
    if (current !== 'away') {
      setTries(0);
      return;
    }
    const timer = setTimeout(
      () =>
        fetch(apiUrl('/livez'), { cache: 'no-store' }).then(
          (answer) => {
            if (!answer.ok) return setTries(tries + 1);
            become('fine');
            void queryClient.invalidateQueries();
          },
          () => setTries(tries + 1),
        ),
      PAUSES[Math.min(tries, PAUSES.length - 1)],
    );
    return () => clearTimeout(timer);
  }, [current, tries]);
  if (current === 'away') {
    return (
      <Banner tone="warning" role="alert">
        {t('server.away')}
      </Banner>
    );
  }
  if (current === 'login') {
    return (
      <Banner tone="warning" role="alert">
        {t('problem.login')} {t('problem.login.advice')}{' '}
        <Button onClick={() => location.reload()}>{t('problem.login.action')}</Button>
      </Banner>
    );
  }
  return null;
}
