import { useVirtualizer } from '@tanstack/react-virtual';
import { ArrowDown } from 'lucide-react';
import { useLayoutEffect, useMemo, useRef } from 'react';
import type { Turn } from '@/api/types';
import { useT } from '@/i18n';
import { IconButton } from '@/ui/Button';
import type { Ask, LiveAnswer } from './answer';
import { LiveTurn } from './LiveTurn';
import { TurnView } from './TurnView';

interface ThreadProps {
  id: string;
  turns: Turn[];
  live: LiveAnswer | undefined;
  ask: Ask;
}

/** The turns of a conversation, of which those in view are drawn; the end stays in view while an answer grows, unless one scrolled away. */
export function Thread({ id, turns, live, ask }: ThreadProps) {
  const t = useT();
  const scroller = useRef<HTMLDivElement>(null);
  const shown = useMemo(() => (live ? turnsBefore(turns, live) : turns), [turns, live]);
  const count = shown.length + (live ? 1 : 0);
  const virtualizer = useVirtualizer({
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => 320,
    getItemKey: (index) => shown[index]?.message_id ?? live?.question.messageId ?? index,
    useFlushSync: false,
    anchorTo: 'end',
    followOnAppend: true,
    scrollEndThreshold: 96,
    overscan: 3,
    paddingStart: 16,
    paddingEnd: 24,
  });
  useLayoutEffect(() => virtualizer.scrollToEnd(), [virtualizer]);
  const asked = live?.question.messageId;
  useLayoutEffect(() => {
    if (asked) virtualizer.scrollToEnd();
  }, [asked, virtualizer]);

  const items = virtualizer.getVirtualItems();
  return (
    <div className="thread">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <div ref={scroller} className="thread-scroll" tabIndex={0} role="region" aria-label={t('thread')}>
        <div className="virtual" style={{ height: virtualizer.getTotalSize() }}>
          {items.map((item) => {
            const turn = shown[item.index];
            return (
              <div
                key={item.key}
                ref={virtualizer.measureElement}
                data-index={item.index}
                className="thread-item"
                style={{ transform: `translateY(${item.start}px)` }}
              >
                {turn ? (
                  <TurnView conversationId={id} turn={turn} ask={ask} busy={live !== undefined} />
                ) : (
                  live && <LiveTurn live={live} ask={ask} />
                )}
              </div>
            );
          })}
        </div>
      </div>
      {items.length > 0 && !virtualizer.isAtEnd(160) && (
        <IconButton
          icon={ArrowDown}
          label={t('thread.end')}
          className="thread-end"
          onClick={() => virtualizer.scrollToEnd({ behavior: 'smooth' })}
        />
      )}
    </div>
  );
}

/** The turns that stand before an answer which is being written: one that takes a place has none after it. */
function turnsBefore(turns: Turn[], live: LiveAnswer): Turn[] {
  const { insteadOf, messageId } = live.question;
  const place = turns.findIndex((turn) => turn.message_id === (insteadOf ?? messageId));
  const own = turns.findIndex((turn) => turn.message_id === messageId);
  if (own >= 0) return turns.slice(0, own);
  return place >= 0 ? turns.slice(0, place) : turns;
}
