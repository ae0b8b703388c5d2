import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useMemo, useRef } from 'react';
import type { Block, Page } from '@/api/types';
import { useT } from '@/i18n';
import { type Span, unitSpans } from '@/text/codepoints';
import type { Place } from './context';
import { cellsOf, type Segment, segmentAt, segmentsOf } from './segments';

interface TextViewProps {
  text: string;
  pages: Page[];
  blocks: Block[];
  place: Place | null;
}

/** The text that was read from a document, however long, with the place marked and in view. */
export function TextView({ text, pages, blocks, place }: TextViewProps) {
  const t = useT();
  const scroller = useRef<HTMLDivElement>(null);
  const { segments, span } = useMemo(() => {
    const wanted = { start: place?.start ?? 0, end: place?.end ?? 0 };
    const [own, ...shown] = unitSpans<Span>(text, [wanted, ...pages, ...blocks]);
    const placed = pages.map((page, index) => ({ ...page, ...shown[index] }));
    const structure = blocks.map((block, index) => ({ ...block, ...shown[pages.length + index] }));
    return { segments: segmentsOf(text, placed, structure), span: own ?? { start: 0, end: 0 } };
  }, [text, pages, blocks, place?.start, place?.end]);
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
  const show = (from: number, to: number) => <Marked text={text} from={from} to={to} span={span} />;
  switch (segment.kind) {
    case 'heading':
      return (
        // Documents leave levels out, and what is drawn begins anywhere: to the page they are all alike.
        <p className={`text-part text-heading text-heading-${segment.level}`} role="heading" aria-level={2}>
          {show(segment.start, last)}
        </p>
      );
    case 'code':
      return (
        <pre className="text-part text-code">
          <code>{show(segment.start, last)}</code>
        </pre>
      );
    case 'table_row':
      return (
        <p className="text-part text-row">
          {cellsOf(text, segment.start, last).map((cell) => (
            <span key={cell.start}>{show(cell.start, cell.end)}</span>
          ))}
        </p>
      );
    default:
      return (
        <p className={segment.kind === 'list_item' ? 'text-part text-list-item' : 'text-part'}>
          {show(segment.start, last)}
        </p>
      );
  }
}

/** A piece of the text, with what is cited of it marked. */
function Marked({ text, from, to, span }: { text: string; from: number; to: number; span: Span }) {
  const start = Math.max(from, Math.min(to, span.start));
  const end = Math.max(start, Math.min(to, span.end));
  return (
    <>
      {text.slice(from, start)}
      {end > start && <mark>{text.slice(start, end)}</mark>}
      {text.slice(end, to)}
    </>
  );
}
