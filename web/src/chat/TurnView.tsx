import { memo } from 'react';
import type { Turn } from '@/api/types';
import { AnswerActions } from './AnswerActions';
import { AnswerBody } from './AnswerBody';
import type { Ask } from './answer';
import { QuestionView } from './QuestionView';
import { SourceStrip } from './SourceStrip';

interface TurnViewProps {
  conversationId: string;
  turn: Turn;
  ask: Ask;
  /** An answer is being written: nothing else can be asked now. */
  busy: boolean;
}

/** A question with its answer. */
export const TurnView = memo(function TurnView({ conversationId, turn, ask, busy }: TurnViewProps) {
  const shown = {
    conversationId,
    messageId: turn.message_id,
    question: turn.question,
    text: turn.answer,
    units: turn.units,
    citations: turn.citations,
    unsupported: turn.unsupported,
    abstained: turn.abstained,
    stopped: turn.stopped,
    hits: null,
    writing: false,
  };
  return (
    <article className="turn column">
      <QuestionView conversationId={conversationId} turn={turn} ask={ask} busy={busy} />
      <AnswerBody shown={shown} />
      <SourceStrip shown={shown} />
      <AnswerActions conversationId={conversationId} turn={turn} ask={ask} busy={busy} />
    </article>
  );
});
