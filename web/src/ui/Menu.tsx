import { lazy, Suspense, useState } from 'react';
import type { MenuProps } from './OpenMenu';

const OpenMenu = lazy(() => import('./OpenMenu'));

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
