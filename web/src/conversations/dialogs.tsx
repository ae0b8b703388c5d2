import { useState } from 'react';
import { useLocation } from 'wouter';
import {
  conversationQuery,
  conversationsKey,
  deleteConversation,
  queryClient,
  renameConversation,
} from '@/api/queries';
import type { Conversation } from '@/api/types';
import { liveAnswers } from '@/chat/live';
import { useT } from '@/i18n';
import { notify } from '@/ui/announce';
import { Button } from '@/ui/Button';
import { Confirm } from '@/ui/Confirm';
import { Dialog } from '@/ui/Dialog';
import { ProblemNote } from '@/ui/ProblemNote';

interface DialogProps {
  conversation: Pick<Conversation, 'id' | 'title'>;
  onClose: () => void;
}

const LONGEST = 200;

export function RenameDialog({ conversation, onClose }: DialogProps) {
  const t = useT();
  const [title, setTitle] = useState(conversation.title);
  const [problem, setProblem] = useState<unknown>(null);
  const save = async () => {
    try {
      const changed = await renameConversation(conversation.id, title.trim());
      queryClient.setQueryData(
        conversationQuery(conversation.id).queryKey,
        (known) => known && { ...known, title: changed.title },
      );
      void queryClient.invalidateQueries({ queryKey: conversationsKey });
      onClose();
    } catch (error) {
      setProblem(error);
    }
  };
  return (
    <Dialog title={t('rename')} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <div className="dialog-body">
          <label className="field">
            {t('title')}
            <input
              value={title}
              maxLength={LONGEST}
              autoFocus
              onFocus={(event) => event.target.select()}
              onChange={(event) => setTitle(event.target.value)}
            />
          </label>
          {problem !== null && <ProblemNote error={problem} />}
        </div>
        <div className="dialog-foot">
          <Button onClick={onClose}>{t('cancel')}</Button>
          <Button kind="primary" type="submit" disabled={!title.trim()}>
            {t('save')}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

export function DeleteDialog({ conversation, onClose }: DialogProps) {
  const t = useT();
  const [place, navigate] = useLocation();
  const remove = async () => {
    await deleteConversation(conversation.id);
    liveAnswers.dismiss(conversation.id);
    queryClient.removeQueries(conversationQuery(conversation.id));
    void queryClient.invalidateQueries({ queryKey: conversationsKey });
    notify(t('conversation.deleted'));
    if (place === `/c/${conversation.id}`) navigate('/');
  };
  return (
    <Confirm title={t('conversation.delete')} action={t('delete')} onConfirm={remove} onClose={onClose}>
      <p>{t('conversation.delete.sure', { title: conversation.title })}</p>
    </Confirm>
  );
}
