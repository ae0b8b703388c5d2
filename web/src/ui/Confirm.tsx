import { type ReactNode, useState } from 'react';
import { useT } from '@/i18n';
import { Button } from './Button';
import { Dialog } from './Dialog';
import { ProblemNote } from './ProblemNote';

interface ConfirmProps {
  title: string;
  children: ReactNode;
  action: string;
  onConfirm: () => Promise<unknown>;
  onClose: () => void;
}

/** Asks before something is done that cannot be undone. */
export function Confirm({ title, children, action, onConfirm, onClose }: ConfirmProps) {
  const t = useT();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const confirm = () => {
    setBusy(true);
    onConfirm().then(onClose, (error: unknown) => {
      setBusy(false);
      setProblem(error);
    });
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <div className="dialog-body">
        {children}
        {problem !== null && <ProblemNote error={problem} />}
      </div>
      <div className="dialog-foot">
        <Button onClick={onClose}>{t('cancel')}</Button>
        <Button kind="danger" disabled={busy} onClick={confirm}>
          {action}
        </Button>
      </div>
    </Dialog>
  );
}
