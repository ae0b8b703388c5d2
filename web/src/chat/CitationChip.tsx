import type { Citation } from '@/api/types';
import { useT } from '@/i18n';
import { placeOf, useSources } from '@/sources/context';
import { getQuoteCard } from './lazyQuoteCard';
import type { Shown } from './shown';

interface CitationChipProps {
  marker: number;
  citation: Citation | undefined;
  shown: Shown;
}

/** A numbered chip in the text: hovering or focusing it shows the quote, pressing it opens the document there. */
export function CitationChip({ marker, citation, shown }: CitationChipProps) {
  const t = useT();
  const { opened, open } = useSources();
  if (!citation) return <span className="chip chip-pending">{marker}</span>;
  const place = placeOf(citation);
  const current =
    opened?.messageId === shown.messageId &&
    opened.place?.start === place.start &&
    opened.place.documentId === place.documentId;
  const page = citation.page ? t('page', { page: citation.page }) : '';
  const chip = (
    <button
      type="button"
      className="chip"
      aria-pressed={current}
      aria-label={t('chip', { marker, title: citation.title, page })}
      onClick={() => open({ ...shown, place })}
    >
      {marker}
    </button>
  );
  const QuoteCard = getQuoteCard();
  if (!QuoteCard) return chip;
  return (
    <QuoteCard citation={citation} page={page}>
      {chip}
    </QuoteCard>
  );
}
