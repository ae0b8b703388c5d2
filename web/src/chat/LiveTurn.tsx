import { useEffect, useRef } from 'react';
import { Problem } from '@/api/problem';
import { type Translate, useT } from '@/i18n';
import { announce } from '@/ui/announce';
import { Banner } from '@/ui/Banner';
import { Button } from '@/ui/Button';
import { ProblemNote } from '@/ui/ProblemNote';
import { AnswerBody } from './AnswerBody';
import { type Ask, isEnded, type LiveAnswer } from './answer';
import { liveAnswers } from './live';
import { SourceStrip } from './SourceStrip';
import { localizeAnswer } from './shown';

/** A question with the answer that is being written. */
export function LiveTurn({ live, ask }: { live: LiveAnswer; ask: Ask }) {
  const t = useT();
  const { question, answer, failure, cut } = live;
  const { conversationId } = question;
  useSpokenProgress(live, t);
  const shown = {
    conversationId,
    messageId: question.messageId,
    question: question.text,
    text: live.text,
    units: answer?.units ?? [],
    citations: answer?.citations ?? [],
    unsupported: answer?.unsupported ?? [],
    abstained: answer?.abstained ?? false,
    stopped: answer?.stopped ?? false,
    hits: live.hits,
    writing: !answer,
  };
  const retry = () =>
    ask(question.text, { ...(question.insteadOf && { insteadOf: question.insteadOf, again: question.again }) });
  return (
    <article className="turn column" aria-busy={!isEnded(live)}>
      {question.text && (
        <div className="question">
          <h2 className="question-text">{question.text}</h2>
        </div>
      )}
      {live.text ? <AnswerBody shown={shown} /> : !failure && !cut?.givenUp && <Waiting live={live} />}
      {answer && <SourceStrip shown={shown} />}
      {cut && !cut.givenUp && (
        <Banner tone="warning" role="status">
          {t('stream.reconnecting', { attempt: cut.attempt })}
        </Banner>
      )}
      {cut?.givenUp && <GivenUp live={live} />}
      {live.phase === 'failed' && failure && <Failed live={live} onRetry={retry} />}
    </article>
  );
}

function Waiting({ live }: { live: LiveAnswer }) {
  const t = useT();
  const text =
    live.phase === 'reading'
      ? t('stream.reading', { count: live.hits.length })
      : live.phase === 'searching'
        ? t('stream.searching')
        : t('stream.asking');
  return (
    <p className="waiting" role="status">
      <span className="dots" aria-hidden="true">
        <i />
        <i />
        <i />
      </span>
      {text}
    </p>
  );
}

function GivenUp({ live }: { live: LiveAnswer }) {
  const t = useT();
  const { conversationId } = live.question;
  return (
    <div className="failed">
      {live.cut && <ProblemNote error={live.cut.problem} onRetry={() => liveAnswers.retry(conversationId)} />}
      {live.n > 0 && <p className="quiet">{t('stream.given')}</p>}
    </div>
  );
}

function Failed({ live, onRetry }: { live: LiveAnswer; onRetry: () => void }) {
  const t = useT();
  const { failure, question } = live;
  if (!failure) return null;
  if (failure.code === 'stopped') {
    return (
      <div className="failed">
        <p className="quiet">{t('stream.stopped')}</p>
        <Button onClick={onRetry}>{t('stream.ask-again')}</Button>
      </div>
    );
  }
  const status = failure.code === 'blocked' ? 422 : failure.temporary ? 503 : 502;
  return (
    <div className="failed">
      <ProblemNote error={new Problem(status, failure.code, failure.message)} onRetry={onRetry} />
      {!question.insteadOf && <p className="quiet">{t('stream.kept')}</p>}
    </div>
  );
}

/** Has a screen reader told what happens, and at the end the answer; not every word as it comes. */
function useSpokenProgress(live: LiveAnswer, t: Translate): void {
  const { phase, answer, failure } = live;
  const said = useRef('');
  useEffect(() => {
    const text =
      phase === 'answered' && answer
        ? t('spoken.answer', {
            answer: localizeAnswer(t, answer.answer, answer.abstained).replace(/\[\d+\]/g, ''),
            count: answer.citations.length,
          })
        : phase === 'failed'
          ? failure?.code === 'stopped'
            ? t('stream.stopped')
            : ''
          : phase === 'writing'
            ? t('spoken.writing')
            : t('stream.searching');
    if (text && text !== said.current) {
      said.current = text;
      announce(text);
    }
  }, [phase, answer, failure, t]);
}
