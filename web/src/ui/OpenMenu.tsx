import * as Dropdown from '@radix-ui/react-dropdown-menu';
import type { LucideIcon } from 'lucide-react';
import { useLayer } from './layer';

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

/** A menu that opens as soon as it is made, with the button that it belongs to. */
export default function OpenMenu({ icon: Icon, label, className = '', entries }: MenuProps) {
  return (
    <Dropdown.Root modal={false} defaultOpen>
      <Dropdown.Trigger className={`icon-button ${className}`} aria-label={label} title={label}>
        <Icon aria-hidden="true" />
      </Dropdown.Trigger>
      <Dropdown.Portal container={useLayer()}>
        <Dropdown.Content className="menu" align="end" sideOffset={4} collisionPadding={8}>
          {entries.map((entry) => (
            <Entry key={entry.name} entry={entry} />
          ))}
        </Dropdown.Content>
      </Dropdown.Portal>
    </Dropdown.Root>
  );
}

function Entry({ entry }: { entry: MenuEntry }) {
  if ('options' in entry) return <Choice {...entry} />;
  const { icon: Icon, name } = entry;
  if ('href' in entry) {
    return (
      <Dropdown.Item className="menu-item" asChild>
        <a href={entry.href} download>
          <Icon aria-hidden="true" />
          {name}
        </a>
      </Dropdown.Item>
    );
  }
  return (
    <Dropdown.Item className={entry.danger ? 'menu-item danger' : 'menu-item'} onSelect={entry.onSelect}>
      <Icon aria-hidden="true" />
      {name}
    </Dropdown.Item>
  );
}

/** One of several; the menu stays open, to show what the choice does. */
function Choice({ name, value, options, onChange }: Extract<MenuEntry, { value: string }>) {
  return (
    <Dropdown.Group>
      <Dropdown.Label className="menu-label">{name}</Dropdown.Label>
      <Dropdown.RadioGroup value={value} onValueChange={onChange}>
        {options.map(([key, title]) => (
          <Dropdown.RadioItem key={key} value={key} className="menu-item" onSelect={(event) => event.preventDefault()}>
            <span className="menu-dot" aria-hidden="true" />
            {title}
          </Dropdown.RadioItem>
        ))}
      </Dropdown.RadioGroup>
    </Dropdown.Group>
  );
}
