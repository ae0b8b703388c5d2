import { useQuery } from '@tanstack/react-query';
import { FilePlus2 } from 'lucide-react';
import { Link } from 'wouter';
import { collectionsQuery } from '@/api/queries';
import { useT } from '@/i18n';
import type { Key } from '@/i18n/en';
import type { Ask } from './answer';

const OWN_DOCS = 'anchorage-docs';
const EXAMPLES: readonly Key[] = ['greeting.example-1', 'greeting.example-2', 'greeting.example-3'];

/** What is shown before the first question. `lost`: the conversation that was wanted is not there. */
export function Greeting({ lost }: { lost: boolean }) {
  const t = useT();
  const { documents } = useOwnDocuments();
  return (
    <div className="greeting column">
      {lost && (
        <p className="greeting-lost" role="status">
          {t('conversation.lost')}
        </p>
      )}
      <h1>{t('greeting')}</h1>
      <p className="greeting-sub">
        {documents > 0 ? t('greeting.documents', { count: documents }) : t('greeting.promise')}
      </p>
    </div>
  );
}

/** Below the field: what one can begin with. */
export function Starters({ onAsk }: { onAsk: Ask }) {
  const t = useT();
  const { documents, manual } = useOwnDocuments();
  return (
    <div className="starters column">
      {manual && documents === 0 && (
        <ul className="examples">
          {EXAMPLES.map((key) => (
            <li key={key}>
              <button type="button" onClick={() => onAsk(t(key))}>
                {t(key)}
              </button>
            </li>
          ))}
        </ul>
      )}
      <Link href="/documents" className="button button-outline">
        <FilePlus2 aria-hidden="true" />
        {t('greeting.add')}
      </Link>
    </div>
  );
}

/** How many documents are the reader's own, and whether there is the manual to try it with. */
function useOwnDocuments(): { documents: number; manual: boolean } {
  const found = useQuery(collectionsQuery).data ?? [];
  const own = found.filter((item) => item.name !== OWN_DOCS);
  return { documents: own.reduce((sum, item) => sum + item.documents, 0), manual: own.length < found.length };
}
