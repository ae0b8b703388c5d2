import { type Translate, useT } from '@/i18n';
import { en, type Key } from '@/i18n/en';

interface Failure {
  code: string;
  message: string;
}

/** Why a file or a source failed: in the server's words, which name it, or, in another language, in ours where the reason is known. */
export function reasonOf(t: Translate, { code, message }: Failure): string {
  const key = `reason.${code}`;
  if (t.language === 'en' && message) return message;
  return isKey(key) ? t(key) : message;
}

export function Reason({ error }: { error: Failure }) {
  const t = useT();
  const reason = reasonOf(t, error);
  return (
    <span className="row-reason" title={reason === error.message ? undefined : error.message}>
      {reason}
    </span>
  );
}

function isKey(key: string): key is Key {
  return Object.hasOwn(en, key);
}
