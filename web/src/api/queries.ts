import { infiniteQueryOptions, QueryClient, queryOptions } from '@tanstack/react-query';
import { body, DELETE, GET, PATCH, POST } from './client';
import { asProblem } from './problem';
import type { Rating } from './types';

/** What is asked for ahead needs to be told, too: it is the same request as the one of the page that waits for it. */
export function retry(count: number, error: unknown): boolean {
  return count < 2 && asProblem(error).temporary && asProblem(error).status !== 429;
}

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      retry,
      staleTime: 10_000,
      networkMode: 'always',
    },
    mutations: { networkMode: 'always' },
  },
});

const PAGE = 200;

export const conversationsKey = ['conversations'];
export const documentsKey = ['documents'];

/** A list that is read page by page. */
function listQuery<Page extends { next: string | null }>(
  queryKey: readonly unknown[],
  read: (after: string | null) => Promise<Page>,
) {
  return infiniteQueryOptions({
    queryKey,
    queryFn: ({ pageParam }) => read(pageParam),
    initialPageParam: null as string | null,
    getNextPageParam: (page: Page) => page.next,
  });
}

export function conversationsQuery(words: string) {
  return listQuery([...conversationsKey, words], (after) => conversationPage(words, after));
}

function conversationPage(words: string, after: string | null) {
  const query = { limit: PAGE, ...(words && { q: words }), ...(after && { after }) };
  return body(GET('/api/conversations', { params: { query } }));
}

export function conversationQuery(id: string) {
  return queryOptions({
    queryKey: ['conversation', id],
    queryFn: () => body(GET('/api/conversations/{conversation_id}', { params: { path: { conversation_id: id } } })),
  });
}

/** What is being answered in a conversation, or was last. */
export function streamQuery(id: string) {
  return queryOptions({
    queryKey: ['stream', id],
    queryFn: () => body(GET('/api/chat/{conversation_id}', { params: { path: { conversation_id: id } } })),
    staleTime: 0,
  });
}

export function renameConversation(id: string, title: string) {
  return body(
    PATCH('/api/conversations/{conversation_id}', { params: { path: { conversation_id: id } }, body: { title } }),
  );
}

export function goToBranch(id: string, branch: string) {
  return body(
    PATCH('/api/conversations/{conversation_id}', { params: { path: { conversation_id: id } }, body: { branch } }),
  );
}

export function deleteConversation(id: string) {
  return DELETE('/api/conversations/{conversation_id}', { params: { path: { conversation_id: id } } });
}

export function hitsQuery(conversation: string, message: string) {
  return queryOptions({
    queryKey: ['hits', conversation, message],
    queryFn: async () => {
      const path = { conversation_id: conversation, message_id: message };
      const found = await body(
        GET('/api/conversations/{conversation_id}/messages/{message_id}/hits', { params: { path } }),
      );
      return found.hits;
    },
    staleTime: Number.POSITIVE_INFINITY,
  });
}

export function ratingsQuery(conversation: string) {
  return queryOptions({
    queryKey: ['ratings', conversation],
    queryFn: async () => {
      const query = { conversation_id: conversation, limit: 1000 };
      const { feedback } = await body(GET('/api/feedback', { params: { query } }));
      return Object.fromEntries(feedback.map((item) => [item.message_id, item.rating])) as Record<string, Rating>;
    },
  });
}

export function rate(conversation: string, message: string, rating: Rating, comment: string) {
  return body(POST('/api/feedback', { body: { conversation_id: conversation, message_id: message, rating, comment } }));
}

export function withdrawRating(conversation: string, message: string) {
  return DELETE('/api/feedback/{message_id}', {
    params: { path: { message_id: message }, query: { conversation_id: conversation } },
  });
}

export const collectionsQuery = queryOptions({
  queryKey: ['collections'],
  queryFn: async () => (await body(GET('/api/collections'))).collections,
});

export const systemQuery = queryOptions({ queryKey: ['system'], queryFn: () => body(GET('/api/system')) });

export const sourcesQuery = queryOptions({
  queryKey: ['sources'],
  queryFn: async () => (await body(GET('/api/sources'))).sources,
});

export function documentQuery(id: string, version: string | null) {
  return queryOptions({
    queryKey: ['document', id, version],
    queryFn: () =>
      body(
        GET('/api/documents/{document_id}', {
          params: { path: { document_id: id }, query: version ? { version } : {} },
        }),
      ),
  });
}

export interface DocumentFilter {
  collection: string;
  status: string;
  words: string;
}

export const ALL_DOCUMENTS: DocumentFilter = { collection: '', status: '', words: '' };

export function documentsQuery(filter: DocumentFilter) {
  return listQuery([...documentsKey, filter], (after) => documentPage(filter, after));
}

function documentPage(filter: DocumentFilter, after: string | null) {
  const query = {
    limit: PAGE,
    ...(filter.collection && { collection: filter.collection }),
    ...(filter.status && { status: filter.status as 'indexed' | 'failed' }),
    ...(filter.words && { q: filter.words }),
    ...(after && { after }),
  };
  return body(GET('/api/documents', { params: { query } }));
}

export function chunkPage(id: string, after: number) {
  return body(GET('/api/documents/{document_id}/chunks', { params: { path: { document_id: id }, query: { after } } }));
}

export function deleteDocument(id: string) {
  return DELETE('/api/documents/{document_id}', { params: { path: { document_id: id } } });
}

export async function failedJobs() {
  return (await body(GET('/api/jobs', { params: { query: { status: 'failed', limit: 1000 } } }))).jobs;
}

export function retryJob(id: string) {
  return body(POST('/api/jobs/{job_id}/retry', { params: { path: { job_id: id } } }));
}

export function cancelJob(id: string) {
  return body(POST('/api/jobs/{job_id}/cancel', { params: { path: { job_id: id } } }));
}

export function addSource(
  location: string,
  collection: string,
  every: number | null,
  options: Record<string, unknown>,
) {
  return body(POST('/api/sources', { body: { location, collection, every, options } }));
}

export function syncSource(id: string, confirm: boolean) {
  return body(POST('/api/sources/{source_id}/sync', { params: { path: { source_id: id }, query: { confirm } } }));
}

export function removeSource(id: string, keep: boolean) {
  return DELETE('/api/sources/{source_id}', {
    params: { path: { source_id: id }, query: { keep_documents: keep } },
  });
}
