import { ChevronLeft, ChevronRight, Pencil } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { conversationQuery, goToBranch, queryClient } from '@/api/queries';
import type { Turn } from '@/api/types';
import { useT } from '@/i18n';
import { notify } from '@/ui/announce';
import { IconButton } from '@/ui/Button';
import type { Ask } from './answer';
import { FormFoot } from './FormFoot';

interface QuestionViewProps {
  conversationId: string;
  turn: Turn;
  ask: Ask;
  busy: boolean;
}

/** A question, which can be edited: the edited one stands beside it, and one can go back and forth between them. */
export function QuestionView({ conversationId, turn, ask, busy }: QuestionViewProps) {
  const t = useT();
  const [editing, setEditing] = useState(false);
  const pencil = useRef<HTMLButtonElement>(null);
  const close = () => {
    setEditing(false);
    requestAnimationFrame(() => pencil.current?.focus());
  };
  if (editing) {
    return (
      <QuestionEditor
        text={turn.question}
        onCancel={close}
        onSave={(text) => {
          setEditing(false);
          ask(text, { insteadOf: turn.message_id });
        }}
      />
    );
  }
  return (
    <div className="question">
      <div className="question-tools">
        <Siblings conversationId={conversationId} turn={turn} busy={busy} />
        <IconButton
          ref={pencil}
          icon={Pencil}
          label={t('question.edit')}
          disabled={busy}
          onClick={() => setEditing(true)}
        />
      </div>
      <h2 className="question-text">{turn.question}</h2>
    </div>
  );
}

function Siblings({ conversationId, turn, busy }: Pick<QuestionViewProps, 'conversationId' | 'turn' | 'busy'>) {
  const t = useT();
  const { siblings } = turn;
  if (siblings.length < 2) return null;
  const at = siblings.indexOf(turn.message_id);
  const go = (to: string | undefined) => {
    if (!to) return;
    goToBranch(conversationId, to)
      .then(() => queryClient.invalidateQueries(conversationQuery(conversationId)))
      .catch(() => notify(t('branch.failed')));
  };
  return (
    <nav className="siblings" aria-label={t('branch')}>
      <IconButton
        icon={ChevronLeft}
        label={t('branch.previous')}
        disabled={busy || at <= 0}
        onClick={() => go(siblings[at - 1])}
      />
      <span>{t('branch.place', { at: at + 1, count: siblings.length })}</span>
      <IconButton
        icon={ChevronRight}
        label={t('branch.next')}
        disabled={busy || at + 1 >= siblings.length}
        onClick={() => go(siblings[at + 1])}
      />
    </nav>
  );
}

function QuestionEditor({
  text,
  onSave,
  onCancel,
}: {
  text: string;
  onSave: (text: string) => void;
  onCancel: () => void;
}) {
  const t = useT();
  const [value, setValue] = useState(text);
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    field.current?.focus();
    field.current?.setSelectionRange(text.length, text.length);
  }, [text]);
  const save = () => {
    if (value.trim()) onSave(value.trim());
  };
  return (
    <form
      className="question-editor"
      onSubmit={(event) => {
        event.preventDefault();
        save();
      }}
      onKeyDown={(event) => {
        if (event.key === 'Escape') onCancel();
        if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) save();
      }}
    >
      <textarea
        ref={field}
        aria-label={t('question.edit')}
        value={value}
        rows={3}
        onChange={(event) => setValue(event.target.value)}
      />
      <FormFoot cancel={t('cancel')} action={t('question.send')} ready={value.trim() !== ''} onCancel={onCancel} />
    </form>
  );
}
