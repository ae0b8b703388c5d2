import { Check, Copy, type LucideIcon } from 'lucide-react';
import { type ComponentProps, useState } from 'react';
import { useT } from '@/i18n';
import { notify } from './announce';

type Kind = 'primary' | 'quiet' | 'outline' | 'danger';

export function Button({ kind = 'outline', className = '', ...rest }: ComponentProps<'button'> & { kind?: Kind }) {
  return <button type="button" className={`button button-${kind} ${className}`} {...rest} />;
}

interface IconButtonProps extends Omit<ComponentProps<'button'>, 'aria-label'> {
  icon: LucideIcon;
  label: string;
}

/** A button that shows a picture alone; its label is read out, and shown by the style sheet when it is hovered or focused. */
export function IconButton({ icon: Icon, label, className = '', ...rest }: IconButtonProps) {
  return (
    <button type="button" aria-label={label} data-tip={label} className={`icon-button ${className}`} {...rest}>
      <Icon aria-hidden="true" />
    </button>
  );
}

export function CopyButton({ text, label }: { text: string; label: string }) {
  const t = useT();
  const [done, setDone] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setDone(true);
      notify(t('copied'));
      setTimeout(() => setDone(false), 2000);
    } catch {
      notify(t('copy.failed'));
    }
  };
  return <IconButton icon={done ? Check : Copy} label={label} onClick={() => void copy()} />;
}
