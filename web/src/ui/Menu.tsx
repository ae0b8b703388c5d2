import type { LucideIcon } from 'lucide-react';
import { lazy, Suspense, useState } from 'react';

const OpenMenu = lazy(() => import('./OpenMenu'));

/** Something to do, something to download, or a choice of one of several. */
export type MenuEntry =
  | { icon: LucideIcon; name: string; danger?: boolean; onSelect: () => void }
  | { icon: LucideIcon; name: string; href: string }
  | { name: string; value: string; options: readonly (readonly [string, string])[]; onChange: (value: string) => void };

export interface MenuProps {
  icon: LucideIcon;
  label: string;
  className?: string;
  entries: readonly MenuEntry[];
}

/** A button that opens a menu. The menu is loaded and made when it is wanted for the first time: a list may hold many. */
export function Menu(props: MenuProps) {
  const { icon: Icon, label, className = '' } = props;
  const [wanted, setWanted] = useState(false);
  const button = (
    <button
      type="button"
      className={`icon-button ${className}`}
      aria-label={label}
      aria-haspopup="menu"
      title={label}
      onClick={() => setWanted(true)}
    >
      <Icon aria-hidden="true" />
    </button>
  );
  if (!wanted) return button;
  return (
    <Suspense fallback={button}>
      <OpenMenu {...props} />
    </Suspense>
  );
}
