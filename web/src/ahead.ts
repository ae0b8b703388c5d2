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
import { isNarrow } from './ui/narrow';

/** Asks for what the place shown first needs, code and data at once, before the page is drawn. What fails here is asked for again there. */
export function askAhead(): void {
  const [place = '', id = ''] = location.pathname.slice(basePath.length + 1).split('/');
  // A phone shows the list of conversations when it is opened.
  if (!isNarrow()) void queryClient.prefetchInfiniteQuery({ ...conversationsQuery(''), retry });
  if (place !== 'system' && place !== 'sources') void queryClient.prefetchQuery({ ...collectionsQuery, retry });
  if (place !== 'sources') void queryClient.prefetchQuery({ ...systemQuery, retry });
  if (place === 'documents' && !id) void queryClient.prefetchInfiniteQuery({ ...documentsQuery(ALL_DOCUMENTS), retry });
  // Code that cannot be loaded is told of where it is needed.
  if (place) void import('./rest').catch(() => undefined);
  if (place === 'c' && id) void queryClient.prefetchQuery({ ...conversationQuery(decodeURIComponent(id)), retry });
}
