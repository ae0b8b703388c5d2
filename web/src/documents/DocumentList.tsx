import { useInfiniteQuery } from '@tanstack/react-query';
import { FileText, RotateCw, Trash2 } from 'lucide-react';
import { useDeferredValue, useState } from 'react';
import { Link } from 'wouter';
import { asProblem } from '@/api/problem';
import {
  collectionsQuery,
  type DocumentFilter,
  deleteDocument,
  documentsKey,
  documentsQuery,
  queryClient,
} from '@/api/queries';
import type { Document } from '@/api/types';
import { useT } from '@/i18n';
import { decoded } from '@/text/decoded';
import { notify } from '@/ui/announce';
import { Button, IconButton } from '@/ui/Button';
import { Confirm } from '@/ui/Confirm';
import { explainProblem, ListProblem, ProblemNote } from '@/ui/ProblemNote';
import { Reason } from '@/ui/Reason';
import { formatTimeAgo } from '@/ui/time';
import { readAgain } from './again';
import { StatusBadge } from './StatusBadge';

/** The documents that the filter lets through, page by page. */
export function DocumentList({ filter }: { filter: DocumentFilter }) {
  const t = useT();
  const wanted = useDeferredValue(filter);
  const [deleting, setDeleting] = useState<Document | null>(null);
  const found = useInfiniteQuery({ ...documentsQuery(wanted), placeholderData: (before) => before });
  const again = (document: Document) =>
    readAgain(document).then(
      (known) => notify(t(known ? 'document.again' : 'document.again.gone')),
      (error: unknown) => notify(explainProblem(t, asProblem(error)).title),
    );
  const documents = found.data?.pages.flatMap((page) => page.documents) ?? [];
  if (found.isError && !found.data) return <ProblemNote error={found.error} onRetry={() => void found.refetch()} />;
  if (found.isPending) return <p className="quiet">{t('loading')}</p>;
  if (documents.length === 0) {
    const filtered = filter.words || filter.collection || filter.status;
    return <p className="empty">{t(filtered ? 'documents.none-found' : 'documents.none')}</p>;
  }
  return (
    <>
      <ul className="rows">
        {documents.map((document) => (
          <li key={document.document_id} className="row">
            <FileText aria-hidden="true" />
            <div className="row-text">
              <Link href={`/documents/${document.document_id}`}>{document.title || nameOf(document.uri)}</Link>
              <span className="quiet row-more">
                {document.collection} · {nameOf(document.uri)}
                {document.updated_at && ` · ${formatTimeAgo(t.language, document.updated_at)}`}
              </span>
              {document.error && <Reason error={document.error} />}
            </div>
            <span className="quiet row-count">{t('passages', { count: document.chunks })}</span>
            <StatusBadge status={document.status} />
            {document.status === 'failed' && (
              <IconButton
                icon={RotateCw}
                label={t('document.again-of', { title: document.title || nameOf(document.uri) })}
                onClick={() => void again(document)}
              />
            )}
            <IconButton
              icon={Trash2}
              label={t('document.delete-of', { title: document.title || nameOf(document.uri) })}
              onClick={() => setDeleting(document)}
            />
          </li>
        ))}
      </ul>
      <ListProblem found={found} />
      {found.hasNextPage && !found.isFetchNextPageError && (
        <Button className="more" disabled={found.isFetchingNextPage} onClick={() => void found.fetchNextPage()}>
          {t('more')}
        </Button>
      )}
      {deleting && <DeleteDocument document={deleting} onClose={() => setDeleting(null)} />}
    </>
  );
}

interface DeleteDocumentProps {
  document: Pick<Document, 'document_id' | 'title' | 'uri'>;
  onClose: () => void;
  onDeleted?: () => void;
}

export function DeleteDocument({ document, onClose, onDeleted }: DeleteDocumentProps) {
  const t = useT();
  const remove = async () => {
    await deleteDocument(document.document_id);
    notify(t('document.deleted'));
    void queryClient.invalidateQueries({ queryKey: documentsKey });
    void queryClient.invalidateQueries(collectionsQuery);
    onDeleted?.();
  };
  return (
    <Confirm title={t('document.delete')} action={t('delete')} onConfirm={remove} onClose={onClose}>
      <p>{t('document.delete.sure', { title: document.title || nameOf(document.uri) })}</p>
    </Confirm>
  );
}

/** The last part of an address, readable. */
export function nameOf(uri: string): string {
  const last = uri.replace(/\/+$/, '').split('/').at(-1) ?? uri;
  return decoded(last) || uri;
}
