import * as HoverCard from '@radix-ui/react-hover-card';
import type { ReactElement } from 'react';
import type { Citation } from '@/api/types';
import { useLayer } from '@/ui/layer';

export interface QuoteCardProps {
  citation: Citation;
  page: string;
  children: ReactElement;
}

/** The quote beside its chip while one hovers over it or focuses it. */
export function QuoteCard({ citation, page, children }: QuoteCardProps) {
  const layer = useLayer();
  return (
    <HoverCard.Root openDelay={150} closeDelay={100}>
      <HoverCard.Trigger asChild>{children}</HoverCard.Trigger>
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
