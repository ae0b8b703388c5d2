import { Button } from '@/ui/Button';

interface FormFootProps {
  cancel: string;
  action: string;
  /** There is something to send. */
  ready: boolean;
  onCancel: () => void;
}

/** The end of a small form within the thread: the way back, and what it is for. */
export function FormFoot({ cancel, action, ready, onCancel }: FormFootProps) {
  return (
    <div className="row-end">
      <Button kind="quiet" onClick={onCancel}>
        {cancel}
      </Button>
      <Button kind="primary" type="submit" disabled={!ready}>
        {action}
      </Button>
    </div>
  );
}
