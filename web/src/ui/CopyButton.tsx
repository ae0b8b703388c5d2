import { Check, Copy } from 'lucide-react';
import { useState } from 'react';
import { useT } from '@/i18n';
import { notify } from './announce';
import { IconButton } from './Button';

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
