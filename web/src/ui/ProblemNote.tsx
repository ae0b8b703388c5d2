import { CircleAlert, RotateCw } from 'lucide-react';
import { asProblem, type Problem, UNREACHABLE } from '@/api/problem';
import { type Translate, useT } from '@/i18n';
import type { Key } from '@/i18n/en';
import { Button } from './Button';

/** What a problem means to a person, in a line, and what they can do. */
export function explainProblem(t: Translate, problem: Problem): { title: string; advice: string } {
  const [title, advice] = keysOf(problem);
  const seconds = problem.retryAfter ?? 0;
  return {
    title: t(title),
    advice: problem.status === 429 && seconds > 0 ? t('problem.wait', { seconds }) : t(advice),
  };
}

function keysOf({ status, code }: Problem): [Key, Key] {
  if (status === 0) return ['problem.unreachable', 'problem.unreachable.advice'];
  if (status === 401) return ['problem.login', 'problem.login.advice'];
  if (status === 403) return ['problem.forbidden', 'problem.forbidden.advice'];
  if (status === 404) return ['problem.missing', 'problem.missing.advice'];
  if (status === 409) return ['problem.busy', 'problem.busy.advice'];
  if (status === 413) return ['problem.large', 'problem.large.advice'];
  if (code === 'budget_exceeded') return ['problem.budget', 'problem.budget.advice'];
  if (status === 429) return ['problem.often', 'problem.often.advice'];
  if (code === 'blocked') return ['problem.blocked', 'problem.blocked.advice'];
  if (code === 'model_error' || code === 'model_unavailable') return ['problem.model', 'problem.model.advice'];
  if (status === 503) return ['problem.unavailable', 'problem.unavailable.advice'];
  if (status >= 500) return ['problem.server', 'problem.server.advice'];
  return ['problem.refused', 'problem.refused.advice'];
}

interface ProblemNoteProps {
  error: unknown;
  onRetry?: (() => void) | undefined;
}

interface ListState {
  data: unknown;
  error: unknown;
  refetch: () => unknown;
  isFetchNextPageError?: boolean;
  fetchNextPage?: () => unknown;
}

/** Beside a list that is there: what comes next, or what is newer, could not be had. The banner tells what it concerns all of. */
export function ListProblem({ found }: { found: ListState }) {
  const { data, error, isFetchNextPageError, fetchNextPage, refetch } = found;
  if (!data || !error) return null;
  const { status } = asProblem(error);
  if ((status === UNREACHABLE || status === 401) && !isFetchNextPageError) return null;
  return (
    <div className="list-problem">
      <ProblemNote error={error} onRetry={() => void (isFetchNextPageError ? fetchNextPage?.() : refetch())} />
    </div>
  );
}

/** Says what went wrong, in plain words first, then in the server's. */
export function ProblemNote({ error, onRetry }: ProblemNoteProps) {
  const t = useT();
  const problem = asProblem(error);
  const { title, advice } = explainProblem(t, problem);
  return (
    <div className="problem" role="alert">
      <CircleAlert aria-hidden="true" />
      <div className="problem-text">
        <strong>{title}</strong>
        <p>{advice}</p>
        {problem.detail && (
          <p className="problem-detail" lang="en">
            {problem.detail}
          </p>
        )}
        {problem.status >= 500 && problem.requestId && (
          <p className="problem-detail">{t('problem.request', { id: problem.requestId })}</p>
        )}
      </div>
      {problem.status === 401 ? (
        <Button onClick={() => location.reload()}>{t('problem.login.action')}</Button>
      ) : (
        onRetry && (
          <Button onClick={onRetry}>
            <RotateCw aria-hidden="true" />
            {t('retry')}
          </Button>
        )
      )}
    </div>
  );
}
