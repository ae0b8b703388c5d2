import * as Tooltip from '@radix-ui/react-tooltip';
import type { LucideIcon } from 'lucide-react';
import type { ComponentProps } from 'react';
import { useLayer } from './layer';

type Kind = 'primary' | 'quiet' | 'outline' | 'danger';

export function Button({ kind = 'outline', className = '', ...rest }: ComponentProps<'button'> & { kind?: Kind }) {
  return <button type="button" className={`button button-${kind} ${className}`} {...rest} />;
}

interface IconButtonProps extends Omit<ComponentProps<'button'>, 'aria-label'> {
  icon: LucideIcon;
  label: string;
  side?: 'top' | 'right' | 'bottom' | 'left';
}

/** A button that shows a picture alone; its label is read out, and shown when it is hovered or focused. */
export function IconButton({ icon: Icon, label, side = 'top', className = '', ...rest }: IconButtonProps) {
  const layer = useLayer();
  return (
    <Tooltip.Root>
      <Tooltip.Trigger asChild>
        <button type="button" aria-label={label} className={`icon-button ${className}`} {...rest}>
          <Icon aria-hidden="true" />
        </button>
      </Tooltip.Trigger>
      <Tooltip.Portal container={layer}>
        <Tooltip.Content side={side} sideOffset={6} className="tooltip">
          {label}
        </Tooltip.Content>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}
