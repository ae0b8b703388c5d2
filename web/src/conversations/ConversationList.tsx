import { useInfiniteQuery } from '@tanstack/react-query';
import { useVirtualizer } from '@tanstack/react-virtual';
import { Ellipsis, Pencil, Trash2 } from 'lucide-react';
import { memo, useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react';
import { Link, useRoute } from 'wouter';
import { conversationsQuery } from '@/api/queries';
import type { Conversation } from '@/api/types';
import { liveAnswers } from '@/chat/live';
import { useT } from '@/i18n';
import { Menu } from '@/ui/Menu';
import { ListProblem, ProblemNote } from '@/ui/ProblemNote';
import { type Age, ageOf } from '@/ui/time';
import { DeleteDialog, RenameDialog } from './dialogs';

type Row = { age: Age } | { conversation: Conversation };

/** All conversations that hold the words, by age; those in view are drawn, and more are read as they come near. */
export function ConversationList({ words, onChoose }: { words: string; onChoose?: (() => void) | undefined }) {
  const t = useT();
  const scroller = useRef<HTMLDivElement>(null);
  const found = useInfiniteQuery({ ...conversationsQuery(words), placeholderData: (before) => before });
  const rows = useMemo(() => rowsOf(found.data?.pages.flatMap((page) => page.conversations) ?? []), [found.data]);
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => (rows[index] && 'age' in rows[index] ? 34 : 36),
    getItemKey: (index) => {
      const row = rows[index];
      return row ? ('age' in row ? row.age : row.conversation.id) : index;
    },
    overscan: 8,
  });
  const items = virtualizer.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  const { hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage } = found;
  useEffect(() => {
    // What failed is asked for again by hand, not in a circle.
    if (hasNextPage && !isFetchingNextPage && !isFetchNextPageError && last > rows.length - 40) void fetchNextPage();
  }, [last, rows.length, hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage]);

  if (found.isError && !found.data) return <ProblemNote error={found.error} onRetry={() => void found.refetch()} />;
  if (found.data && rows.length === 0) {
    return <p className="list-empty">{t(words ? 'conversations.none-found' : 'conversations.none')}</p>;
  }
  return (
    <nav className="list" aria-label={t('conversations')}>
      <div ref={scroller} className="list-scroll">
        <ul className="virtual" style={{ height: virtualizer.getTotalSize() }}>
          {items.map((item) => {
            const row = rows[item.index];
            if (!row) return null;
            return (
              <li
                key={item.key}
                className="list-row"
                style={{ transform: `translateY(${item.start}px)`, height: item.size }}
              >
                {'age' in row ? (
                  <h3>{t(`age.${row.age}`)}</h3>
                ) : (
                  <ConversationRow conversation={row.conversation} onChoose={onChoose} />
                )}
              </li>
            );
          })}
        </ul>
      </div>
      <ListProblem found={found} />
    </nav>
  );
}

const ConversationRow = memo(function ConversationRow({
  conversation,
  onChoose,
}: {
  conversation: Conversation;
  onChoose?: (() => void) | undefined;
}) {
  const t = useT();
  const [active] = useRoute(`/c/${conversation.id}`);
  const live = useSyncExternalStore(liveAnswers.subscribe, () => liveAnswers.get(conversation.id));
  const [dialog, setDialog] = useState<'rename' | 'delete' | null>(null);
  return (
    <div className={active ? 'list-item active' : 'list-item'}>
      <Link
        href={`/c/${conversation.id}`}
        title={conversation.title}
        aria-current={active ? 'page' : undefined}
        onClick={onChoose}
      >
        {live && <span className="list-live" role="img" aria-label={t('conversation.live')} />}
        {conversation.title}
      </Link>
      <Menu
        icon={Ellipsis}
        label={t('conversation.menu-of', { title: conversation.title })}
        className="list-menu"
        entries={[
          { icon: Pencil, name: t('rename'), onSelect: () => setDialog('rename') },
          { icon: Trash2, name: t('delete'), danger: true, onSelect: () => setDialog('delete') },
        ]}
      />
      {dialog === 'rename' && <RenameDialog conversation={conversation} onClose={() => setDialog(null)} />}
      {dialog === 'delete' && <DeleteDialog conversation={conversation} onClose={() => setDialog(null)} />}
    </div>
  );
});

function rowsOf(conversations: Conversation[]): Row[] {
  const rows: Row[] = [];
  let before: Age | null = null;
  for (const conversation of conversations) {
    const age = ageOf(conversation.updated_at);
    if (age !== before) rows.push({ age });
    before = age;
    rows.push({ conversation });
  }
  return rows;
}
