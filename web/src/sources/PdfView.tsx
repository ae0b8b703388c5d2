import { ChevronLeft, ChevronRight, Minus, Plus } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { request } from '@/api/client';
import { useT } from '@/i18n';
import { notify } from '@/ui/announce';
import { IconButton } from '@/ui/Button';
import type { Place } from './context';
import { type OpenPdf, openPdf } from './pdf';

interface PdfViewProps {
  url: string;
  place: Place;
  /** It could not be shown. */
  onFail: () => void;
}

const ZOOMS = [0.5, 0.75, 1, 1.25, 1.5, 2, 3];

/** A PDF's page as it looks, with the place marked on it. */
export default function PdfView({ url, place, onFail }: PdfViewProps) {
  const t = useT();
  const [pdf, setPdf] = useState<OpenPdf | null>(null);
  const [page, setPage] = useState(place.page ?? 1);
  const [zoom, setZoom] = useState(1);
  const fail = useRef(onFail);

  useEffect(() => setPage(place.page ?? 1), [place.page]);
  useEffect(() => {
    let wanted = true;
    let opened: OpenPdf | null = null;
    request(url)
      .then(async (response) => openPdf(await response.arrayBuffer()))
      .then((found) => {
        if (!wanted) return found.close();
        opened = found;
        setPdf(found);
      })
      .catch(() => {
        if (!wanted) return;
        notify(t('document.pdf-failed'));
        fail.current();
      });
    return () => {
      wanted = false;
      opened?.close();
    };
  }, [url, t]);

  const step = (by: number) => {
    const at = ZOOMS.indexOf(zoom) + by;
    setZoom(ZOOMS[Math.max(0, Math.min(ZOOMS.length - 1, at))] ?? 1);
  };
  if (!pdf) {
    return (
      <p className="pad quiet" role="status">
        {t('loading')}
      </p>
    );
  }
  return (
    <>
      <div className="pdf-bar">
        <IconButton
          icon={ChevronLeft}
          label={t('page.previous')}
          disabled={page <= 1}
          onClick={() => setPage(page - 1)}
        />
        <span>{t('page.of', { page, count: pdf.pages })}</span>
        <IconButton
          icon={ChevronRight}
          label={t('page.next')}
          disabled={page >= pdf.pages}
          onClick={() => setPage(page + 1)}
        />
        <span className="spacer" />
        <IconButton icon={Minus} label={t('zoom.out')} disabled={zoom === ZOOMS[0]} onClick={() => step(-1)} />
        <IconButton icon={Plus} label={t('zoom.in')} disabled={zoom === ZOOMS.at(-1)} onClick={() => step(1)} />
      </div>
      <PdfPage pdf={pdf} page={Math.min(page, pdf.pages)} zoom={zoom} place={place} />
    </>
  );
}

function PdfPage({ pdf, page, zoom, place }: { pdf: OpenPdf; page: number; zoom: number; place: Place }) {
  const t = useT();
  const scroller = useRef<HTMLDivElement>(null);
  const sheet = useRef<HTMLDivElement>(null);
  const quote = place.page === page ? place.quote : '';
  useEffect(() => {
    const target = sheet.current;
    const width = (scroller.current?.clientWidth ?? 600) - 24;
    if (!target) return;
    const drawing = pdf.draw(page, target, width * zoom, quote);
    drawing.done.then(
      () => target.querySelector('.pdf-mark')?.scrollIntoView({ block: 'center' }),
      () => undefined, // another page was wanted meanwhile
    );
    return () => drawing.cancel();
  }, [pdf, page, zoom, quote]);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <div ref={scroller} className="pdf-scroll" tabIndex={0} role="region" aria-label={t('page', { page })}>
      <div ref={sheet} className="pdf-sheet" />
    </div>
  );
}
