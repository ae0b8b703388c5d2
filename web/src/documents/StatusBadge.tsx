import type { DocumentStatus } from '@/api/types';
import { useT } from '@/i18n';

export function StatusBadge({ status }: { status: DocumentStatus }) {
  const t = useT();
  const tone = status === 'failed' ? 'bad' : status === 'indexed' || status === 'unchanged' ? 'good' : 'busy';
  return <span className={`badge badge-${tone}`}>{t(`status.${status}`)}</span>;
}
