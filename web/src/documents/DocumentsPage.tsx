import '@/sources/sources.css';
import './documents.css';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { DocumentFilter } from '@/api/queries';
import { ALL_DOCUMENTS, collectionsQuery } from '@/api/queries';
import { useT } from '@/i18n';
import { useTitle } from '@/ui/useTitle';
import { AddDocuments } from './AddDocuments';
import { DocumentList } from './DocumentList';
import { Filters } from './Filters';
import { UploadList } from './UploadList';

const DEFAULT = 'default';

/** All documents: add, find, see and delete them. */
export function DocumentsPage() {
  const t = useT();
  useTitle(t('documents'));
  const collections = useQuery(collectionsQuery);
  const [filter, setFilter] = useState<DocumentFilter>(ALL_DOCUMENTS);
  return (
    <main id="main" className="page" tabIndex={-1}>
      <header className="page-head">
        <h1>{t('documents')}</h1>
        <p>{t('documents.about')}</p>
      </header>
      <AddDocuments
        collection={filter.collection || DEFAULT}
        names={(collections.data ?? []).map((item) => item.name)}
      />
      <UploadList />
      <section className="page-section" aria-label={t('documents.all')}>
        <Filters filter={filter} collections={collections.data ?? []} onChange={setFilter} />
        <DocumentList filter={filter} />
      </section>
    </main>
  );
}
