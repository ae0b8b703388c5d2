import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useMemo, useRef } from 'react';
import type { Page } from '@/api/types';
import { useT } from '@/i18n';
import { type Span, unitSpans } from '@/text/codepoints';
import type { Place } from './context';
import { type Segment, segmentAt, segmentsOf } from './segments';

interface TextViewProps {
  text: string;
  pages: Page[];
  place: Place | null;
}

/** The text that was read from a document, however long, with the place marked and in view. */
export function TextView({ text, pages, place }: TextViewProps) {
  const t = useT();
  const scroller = useRef<HTMLDivElement>(null);
  const { segments, span } = useMemo(() => {
    const [own, ...shown] = unitSpans<Span>(text, [{ start: place?.start ?? 0, end: place?.end ?? 0 }, ...pages]);
    const placed = pages.map((page, index) => ({ ...page, ...shown[index] }));
    return { segments: segmentsOf(text, placed), span: own ?? { start: 0, end: 0 } };
  }, [text, pages, place?.start, place?.end]);
  const virtualizer = useVirtualizer({
    count: segments.length,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => heightOf(segments[index]),
    overscan: 6,
    paddingStart: 12,
    paddingEnd: 32,
  });
  const wanted = span.end > span.start ? segmentAt(segments, span.start) : -1;
  useEffect(() => {
    if (wanted < 0) return;
    virtualizer.scrollToIndex(wanted, { align: 'start' });
    // Once what lies around it is measured, the mark itself is brought into view.
    const frame = setTimeout(() => scroller.current?.querySelector('mark')?.scrollIntoView({ block: 'center' }), 60);
    return () => clearTimeout(frame);
  }, [virtualizer, wanted]);
  if (!text) return <p className="pad quiet">{t('document.no-text')}</p>;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <div ref={scroller} className="text-scroll" tabIndex={0} role="region" aria-label={t('document.text')}>
      <div className="virtual" style={{ height: virtualizer.getTotalSize() }}>
        {virtualizer.getVirtualItems().map((item) => {
          const segment = segments[item.index];
          return (
            segment && (
              <div
                key={item.key}
                ref={virtualizer.measureElement}
                data-index={item.index}
                className="text-item"
                style={{ transform: `translateY(${item.start}px)` }}
              >
                {segment.page !== null && <p className="text-page">{t('page', { page: segment.page })}</p>}
                <Paragraph text={text} segment={segment} span={span} />
              </div>
            )
          );
        })}
      </div>
    </div>
  );
}

/** About how high a segment is, in pixels, until it is measured. */
function heightOf(segment: Segment | undefined): number {
  const length = segment ? segment.end - segment.start : 0;
  return 10 + 26 * Math.ceil(length / 60) + (segment?.page ? 30 : 0);
}

function Paragraph({ text, segment, span }: { text: string; segment: Segment; span: Span }) {
  const last = segment.start + text.slice(segment.start, segment.end).trimEnd().length;
  const start = Math.max(segment.start, Math.min(last, span.start));
  const end = Math.max(start, Math.min(last, span.end));
  return (
    <p className="text-part">
      {text.slice(segment.start, start)}
      {end > start && <mark>{text.slice(start, end)}</mark>}
      {text.slice(end, last)}
    </p>
  );
}
