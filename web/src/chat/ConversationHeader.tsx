import { Download, Ellipsis, Pencil, Trash2 } from 'lucide-react';
import { useState } from 'react';
import type { Conversation } from '@/api/types';
import { apiUrl } from '@/config';
import { DeleteDialog, RenameDialog } from '@/conversations/dialogs';
import { useT } from '@/i18n';
import { Menu } from '@/ui/Menu';

/** The title of a conversation, and what can be done with it. */
export function ConversationHeader({ conversation }: { conversation: Pick<Conversation, 'id' | 'title'> }) {
  const t = useT();
  const [dialog, setDialog] = useState<'rename' | 'delete' | null>(null);
  const exported = (format: string) =>
    apiUrl(`/api/conversations/${encodeURIComponent(conversation.id)}/export?format=${format}`);
  return (
    <header className="chat-head">
      <h1>{conversation.title}</h1>
      <Menu
        icon={Ellipsis}
        label={t('conversation.menu')}
        entries={[
          { icon: Pencil, name: t('rename'), onSelect: () => setDialog('rename') },
          { icon: Download, name: t('export.md'), href: exported('md') },
          { icon: Download, name: t('export.json'), href: exported('json') },
          { icon: Trash2, name: t('delete'), danger: true, onSelect: () => setDialog('delete') },
        ]}
      />
      {dialog === 'rename' && <RenameDialog conversation={conversation} onClose={() => setDialog(null)} />}
      {dialog === 'delete' && <DeleteDialog conversation={conversation} onClose={() => setDialog(null)} />}
    </header>
  );
}
