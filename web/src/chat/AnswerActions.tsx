import { useQuery } from '@tanstack/react-query';
import { RotateCcw, ThumbsDown, ThumbsUp } from 'lucide-react';
import { useState } from 'react';
import { queryClient, rate, ratingsQuery, withdrawRating } from '@/api/queries';
import type { Rating, Turn } from '@/api/types';
import { useT } from '@/i18n';
import { notify } from '@/ui/announce';
import { CopyButton, IconButton } from '@/ui/Button';
import { ProblemNote } from '@/ui/ProblemNote';
import type { Ask } from './answer';
import { FormFoot } from './FormFoot';
import { localizeAnswer } from './shown';

interface AnswerActionsProps {
  conversationId: string;
  turn: Turn;
  ask: Ask;
  busy: boolean;
}

/** What can be done with an answer. */
export function AnswerActions({ conversationId, turn, ask, busy }: AnswerActionsProps) {
  const t = useT();
  const ratings = useQuery(ratingsQuery(conversationId));
  const rating = ratings.data?.[turn.message_id];
  const [commenting, setCommenting] = useState<Rating | null>(null);

  const put = (value: Rating | undefined) =>
    queryClient.setQueryData(ratingsQuery(conversationId).queryKey, (known) => {
      const { [turn.message_id]: _, ...others } = known ?? {};
      return value ? { ...others, [turn.message_id]: value } : others;
    });
  const choose = async (value: Rating) => {
    const before = rating;
    const withdrawn = before === value;
    put(withdrawn ? undefined : value);
    try {
      if (withdrawn) await withdrawRating(conversationId, turn.message_id);
      else await rate(conversationId, turn.message_id, value, '');
      notify(t(withdrawn ? 'rating.withdrawn' : 'rating.thanks'));
      if (!withdrawn) setCommenting(value);
    } catch {
      put(before);
      notify(t('rating.failed'));
    }
  };
  return (
    <>
      <div className="actions" role="group" aria-label={t('actions')}>
        <CopyButton text={localizeAnswer(t, turn.answer, turn.abstained)} label={t('answer.copy')} />
        <IconButton
          icon={RotateCcw}
          label={t('answer.again')}
          disabled={busy}
          onClick={() => ask(turn.question, { insteadOf: turn.message_id, again: true })}
        />
        <IconButton
          icon={ThumbsUp}
          label={t('rating.up')}
          aria-pressed={rating === 'up'}
          onClick={() => void choose('up')}
        />
        <IconButton
          icon={ThumbsDown}
          label={t('rating.down')}
          aria-pressed={rating === 'down'}
          onClick={() => void choose('down')}
        />
        {turn.stopped && <span className="quiet">{t('answer.stopped')}</span>}
      </div>
      {commenting && (
        <CommentForm
          rating={commenting}
          onSend={(comment) => rate(conversationId, turn.message_id, commenting, comment)}
          onClose={() => setCommenting(null)}
        />
      )}
    </>
  );
}

interface CommentFormProps {
  rating: Rating;
  onSend: (comment: string) => Promise<unknown>;
  onClose: () => void;
}

function CommentForm({ rating, onSend, onClose }: CommentFormProps) {
  const t = useT();
  const [comment, setComment] = useState('');
  const [problem, setProblem] = useState<unknown>(null);
  return (
    <form
      className="comment"
      onSubmit={(event) => {
        event.preventDefault();
        onSend(comment.trim()).then(() => {
          notify(t('rating.commented'));
          onClose();
        }, setProblem);
      }}
    >
      <label className="field">
        {t(rating === 'up' ? 'rating.why-up' : 'rating.why-down')}
        <textarea rows={2} value={comment} onChange={(event) => setComment(event.target.value)} />
      </label>
      {problem !== null && <ProblemNote error={problem} />}
      <FormFoot cancel={t('rating.skip')} action={t('send')} ready={comment.trim() !== ''} onCancel={onClose} />
    </form>
  );
}
