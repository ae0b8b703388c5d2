import {
  collectionsQuery,
  conversationPage,
  conversationQuery,
  conversationsKey,
  queryClient,
  retry,
  systemQuery,
} from './api/queries';
import { basePath } from './config';

/** Asks for what the place shown first needs, code and data at once, before the page is drawn. What fails here is asked for again there. */
export function askAhead(): void {
  const [place = '', id = ''] = location.pathname.slice(basePath.length + 1).split('/');
  void queryClient.prefetchInfiniteQuery({
    queryKey: [...conversationsKey, ''],
    queryFn: () => conversationPage('', null),
    initialPageParam: null,
    retry,
  });
  if (place === '' || place === 'c') {
    void queryClient.prefetchQuery({ ...collectionsQuery, retry });
    void queryClient.prefetchQuery({ ...systemQuery, retry });
  }
  const code = CODE[place];
  if (code) void Promise.all(code()).catch(() => undefined);
  if (place === 'c' && id) void queryClient.prefetchQuery({ ...conversationQuery(decodeURIComponent(id)), retry });
}

const CODE: Record<string, () => Promise<unknown>[]> = {
  c: () => [import('./chat/Thread'), import('./chat/markdown/Markdown')],
  documents: () => [import('./documents/DocumentsPage'), import('./documents/DocumentPage')],
  sources: () => [import('./documents/SourcesPage')],
  system: () => [import('./system/SystemPage')],
};
