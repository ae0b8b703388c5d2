import * as HoverCard from '@radix-ui/react-hover-card';
import type { Citation } from '@/api/types';
import { useT } from '@/i18n';
import { placeOf, useSources } from '@/sources/context';
import { useLayer } from '@/ui/layer';
import type { Shown } from './shown';

const canHover = matchMedia('(hover: hover)').matches;

interface CitationChipProps {
  marker: number;
  citation: Citation | undefined;
  shown: Shown;
}

/** A numbered chip in the text: hovering or focusing it shows the quote, pressing it opens the document there. */
export function CitationChip({ marker, citation, shown }: CitationChipProps) {
  const t = useT();
  const layer = useLayer();
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
  if (!canHover) return chip;
  return (
    <HoverCard.Root openDelay={150} closeDelay={100}>
      <HoverCard.Trigger asChild>{chip}</HoverCard.Trigger>
      <HoverCard.Portal container={layer}>
        <HoverCard.Content className="quote-card" sideOffset={6} collisionPadding={12}>
          <blockquote>{citation.quote}</blockquote>
          <p className="quote-card-source">
            <b>{citation.title}</b>
            {page && <span>{page}</span>}
          </p>
        </HoverCard.Content>
      </HoverCard.Portal>
    </HoverCard.Root>
  );
}
