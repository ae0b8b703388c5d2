import {
  ALL_DOCUMENTS,
  collectionsQuery,
  conversationQuery,
  conversationsQuery,
  documentsQuery,
  queryClient,
  retry,
  systemQuery,
} from './api/queries';
import { basePath } from './config';
import { decoded } from './text/decoded';
import { isNarrow } from './ui/narrow';

/** Asks for what the place shown first needs, code and data at once, before the page is drawn. What fails here is asked for again there. */
export function askAhead(): void {
  const [place = '', id = ''] = location.pathname.slice(basePath.length + 1).split('/');
  // A phone shows the list of conversations when it is opened.
  if (!isNarrow()) void queryClient.prefetchInfiniteQuery({ ...conversationsQuery(''), retry });
  const documents = place === 'documents' && !id;
  const asking = place === '' || place === 'c';
  if (asking || documents) void queryClient.prefetchQuery({ ...collectionsQuery, retry });
  if (asking || documents || place === 'system') void queryClient.prefetchQuery({ ...systemQuery, retry });
  if (documents) void queryClient.prefetchInfiniteQuery({ ...documentsQuery(ALL_DOCUMENTS), retry });
  // Code that cannot be loaded is told of where it is needed.
  if (place) void import('./rest').catch(() => undefined);
  if (place === 'c' && id) void queryClient.prefetchQuery({ ...conversationQuery(decoded(id)), retry });
}
