import type { LucideIcon } from 'lucide-react';
import type { ComponentProps } from 'react';

type Kind = 'primary' | 'quiet' | 'outline' | 'danger';

export function Button({ kind = 'outline', className = '', ...rest }: ComponentProps<'button'> & { kind?: Kind }) {
  return <button type="button" className={`button button-${kind} ${className}`} {...rest} />;
}

interface IconButtonProps extends Omit<ComponentProps<'button'>, 'aria-label'> {
  icon: LucideIcon;
  label: string;
}

/** A button that shows a picture alone; its label is read out, and shown by the style sheet when it is hovered or focused. */
export function IconButton({ icon: Icon, label, className = '', ...rest }: IconButtonProps) {
  return (
    <button type="button" aria-label={label} data-tip={label} className={`icon-button ${className}`} {...rest}>
      <Icon aria-hidden="true" />
    </button>
  );
}
