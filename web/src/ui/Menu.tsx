import * as Dropdown from '@radix-ui/react-dropdown-menu';
import type { LucideIcon } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { useLayer } from './layer';

interface MenuProps {
  icon: LucideIcon;
  label: string;
  className?: string;
  children: ReactNode;
}

/** A button that opens a menu. The menu is made when it is wanted for the first time: a list may hold many. */
export function Menu(props: MenuProps) {
  const { icon: Icon, label, className = '' } = props;
  const [wanted, setWanted] = useState(false);
  if (wanted) return <OpenMenu {...props} />;
  return (
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
}

function OpenMenu({ icon: Icon, label, className = '', children }: MenuProps) {
  return (
    <Dropdown.Root modal={false} defaultOpen>
      <Dropdown.Trigger className={`icon-button ${className}`} aria-label={label} title={label}>
        <Icon aria-hidden="true" />
      </Dropdown.Trigger>
      <Dropdown.Portal container={useLayer()}>
        <Dropdown.Content className="menu" align="end" sideOffset={4} collisionPadding={8}>
          {children}
        </Dropdown.Content>
      </Dropdown.Portal>
    </Dropdown.Root>
  );
}

interface MenuItemProps {
  icon?: LucideIcon;
  danger?: boolean;
  onSelect: () => void;
  children: ReactNode;
}

export function MenuItem({ icon: Icon, danger = false, onSelect, children }: MenuItemProps) {
  return (
    <Dropdown.Item className={danger ? 'menu-item danger' : 'menu-item'} onSelect={onSelect}>
      {Icon && <Icon aria-hidden="true" />}
      {children}
    </Dropdown.Item>
  );
}

/** Something to download. */
export function MenuLink({ icon: Icon, href, children }: { icon: LucideIcon; href: string; children: ReactNode }) {
  return (
    <Dropdown.Item className="menu-item" asChild>
      <a href={href} download>
        <Icon aria-hidden="true" />
        {children}
      </a>
    </Dropdown.Item>
  );
}

interface MenuChoiceProps<T extends string> {
  label: string;
  value: T;
  options: readonly (readonly [T, string])[];
  onChange: (value: T) => void;
}

/** One of several. */
export function MenuChoice<T extends string>({ label, value, options, onChange }: MenuChoiceProps<T>) {
  return (
    <Dropdown.Group>
      <Dropdown.Label className="menu-label">{label}</Dropdown.Label>
      <Dropdown.RadioGroup value={value} onValueChange={(chosen) => onChange(chosen as T)}>
        {options.map(([key, name]) => (
          <Dropdown.RadioItem key={key} value={key} className="menu-item" onSelect={(event) => event.preventDefault()}>
            <span className="menu-dot" aria-hidden="true" />
            {name}
          </Dropdown.RadioItem>
        ))}
      </Dropdown.RadioGroup>
    </Dropdown.Group>
  );
}
