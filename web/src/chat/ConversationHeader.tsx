import { Download, Ellipsis, Pencil, Trash2 } from 'lucide-react';
import { useState } from 'react';
import type { Conversation } from '@/api/types';
import { apiUrl } from '@/config';
import { DeleteDialog, RenameDialog } from '@/conversations/dialogs';
import { useT } from '@/i18n';
import { Menu, MenuItem, MenuLink } from '@/ui/Menu';

/** The title of a conversation, and what can be done with it. */
export function ConversationHeader({ conversation }: { conversation: Pick<Conversation, 'id' | 'title'> }) {
  const t = useT();
  const [dialog, setDialog] = useState<'rename' | 'delete' | null>(null);
  const exported = (format: string) =>
    apiUrl(`/api/conversations/${encodeURIComponent(conversation.id)}/export?format=${format}`);
  return (
    <header className="chat-head">
      <h1>{conversation.title}</h1>
      <Menu icon={Ellipsis} label={t('conversation.menu')}>
        <MenuItem icon={Pencil} onSelect={() => setDialog('rename')}>
          {t('rename')}
        </MenuItem>
        <MenuLink icon={Download} href={exported('md')}>
          {t('export.md')}
        </MenuLink>
        <MenuLink icon={Download} href={exported('json')}>
          {t('export.json')}
        </MenuLink>
        <MenuItem icon={Trash2} danger onSelect={() => setDialog('delete')}>
          {t('delete')}
        </MenuItem>
      </Menu>
      {dialog === 'rename' && <RenameDialog conversation={conversation} onClose={() => setDialog(null)} />}
      {dialog === 'delete' && <DeleteDialog conversation={conversation} onClose={() => setDialog(null)} />}
    </header>
  );
}
