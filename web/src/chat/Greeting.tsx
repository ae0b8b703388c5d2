import { useQuery } from '@tanstack/react-query';
import { FilePlus2 } from 'lucide-react';
import { Link } from 'wouter';
import { collectionsQuery } from '@/api/queries';
import { useT } from '@/i18n';
import type { Key } from '@/i18n/en';
import type { Ask } from './Thread';

const OWN_DOCS = 'anchorage-docs';
const EXAMPLES: readonly Key[] = ['greeting.example-1', 'greeting.example-2', 'greeting.example-3'];

/** What is shown before the first question. `lost`: the conversation that was wanted is not there. */
export function Greeting({ lost, onAsk }: { lost: boolean; onAsk: Ask }) {
  const t = useT();
  const collections = useQuery(collectionsQuery);
  const found = collections.data ?? [];
  const own = found.filter((item) => item.name !== OWN_DOCS);
  const documents = own.reduce((sum, item) => sum + item.documents, 0);
  return (
    <div className="greeting">
      <div className="column">
        {lost && (
          <p className="greeting-lost" role="status">
            {t('conversation.lost')}
          </p>
        )}
        <h1>{t('greeting')}</h1>
        <p className="greeting-sub">
          {documents > 0 ? t('greeting.documents', { count: documents }) : t('greeting.promise')}
        </p>
        {found.some((item) => item.name === OWN_DOCS) && documents === 0 && (
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
        <Link href="/documents" className="button button-outline greeting-add">
          <FilePlus2 aria-hidden="true" />
          {t('greeting.add')}
        </Link>
      </div>
    </div>
  );
}
