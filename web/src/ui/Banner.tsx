import { Info, TriangleAlert, X } from 'lucide-react';
import type { ReactNode } from 'react';
import { useT } from '@/i18n';
import { IconButton } from './Button';

interface BannerProps {
  tone?: 'info' | 'warning';
  role?: 'status' | 'alert';
  onClose?: () => void;
  children: ReactNode;
}

/** A remark across the page that stays until it is settled or closed. */
export function Banner({ tone = 'info', role = 'status', onClose, children }: BannerProps) {
  const t = useT();
  const Icon = tone === 'info' ? Info : TriangleAlert;
  return (
    <div className={`banner banner-${tone}`} role={role}>
      <Icon aria-hidden="true" />
      <div className="banner-text">{children}</div>
      {onClose && <IconButton icon={X} label={t('close')} onClick={onClose} />}
    </div>
  );
}
