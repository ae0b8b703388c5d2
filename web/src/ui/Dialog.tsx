import { X } from 'lucide-react';
import { type ReactNode, useEffect, useId, useRef, useState } from 'react';
import { useT } from '@/i18n';
import { IconButton } from './Button';
import { LayerContext } from './layer';

interface DialogProps {
  title: string;
  onClose: () => void;
  children: ReactNode;
  className?: string;
}

/** What has the focus at first: a field to fill in, else the way back. */
const FIRST = '.dialog-body :is(input, select, textarea), .dialog-foot button, a[href]';

/** A dialog over the page. It is the browser's own: focus stays in it, Escape closes it, and focus goes back to where it was. */
export function Dialog({ title, onClose, children, className = '' }: DialogProps) {
  const t = useT();
  const dialog = useRef<HTMLDialogElement>(null);
  const [layer, setLayer] = useState<HTMLElement | null>(null);
  const heading = useId();
  useEffect(() => {
    const element = dialog.current;
    const before = document.activeElement;
    element?.showModal();
    element?.querySelector<HTMLElement>(FIRST)?.focus();
    setLayer(element);
    return () => {
      element?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      className={`dialog ${className}`}
      aria-labelledby={heading}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onPointerDown={(event) => {
        if (event.target === dialog.current) onClose();
      }}
    >
      <LayerContext value={layer}>
        <div className="dialog-box">
          <div className="dialog-head">
            <h2 id={heading}>{title}</h2>
            <IconButton icon={X} label={t('close')} onClick={onClose} />
          </div>
          {children}
        </div>
      </LayerContext>
    </dialog>
  );
}
