import { Activity, Files, RefreshCw, Search, Settings2, SquarePen } from 'lucide-react';
import { useDeferredValue, useState } from 'react';
import { Link, useRoute } from 'wouter';
import { LANGUAGES, type Language, setLanguage, useT } from '@/i18n';
import { Logo } from '@/ui/Logo';
import { Menu } from '@/ui/Menu';
import { setTheme, THEMES, type Theme, useTheme } from '@/ui/theme';
import { ConversationList } from './ConversationList';

/** The way to everything: a new conversation, the ones before, documents, sources, the system. */
export function Sidebar({ onChoose }: { onChoose?: () => void }) {
  const t = useT();
  const [words, setWords] = useState('');
  const wanted = useDeferredValue(words.trim());
  return (
    <div className="sidebar">
      <div className="sidebar-head">
        <Link href="/" className="brand" onClick={onChoose}>
          <Logo />
          Anchorage
        </Link>
        <SettingsMenu />
      </div>
      <Link href="/" className="button button-outline sidebar-new" onClick={onChoose}>
        <SquarePen aria-hidden="true" />
        {t('conversation.new')}
      </Link>
      <label className="search">
        <Search aria-hidden="true" />
        <span className="unseen">{t('conversations.search')}</span>
        <input
          type="search"
          value={words}
          placeholder={t('conversations.search')}
          onChange={(event) => setWords(event.target.value)}
        />
      </label>
      <ConversationList words={wanted} onChoose={onChoose} />
      <nav className="places" aria-label={t('places')}>
        <Place href="/documents" icon={Files} name={t('documents')} onChoose={onChoose} />
        <Place href="/sources" icon={RefreshCw} name={t('sources.registered')} onChoose={onChoose} />
        <Place href="/system" icon={Activity} name={t('system')} onChoose={onChoose} />
      </nav>
    </div>
  );
}

interface PlaceProps {
  href: string;
  icon: typeof Files;
  name: string;
  onChoose?: (() => void) | undefined;
}

function Place({ href, icon: Icon, name, onChoose }: PlaceProps) {
  const [here] = useRoute(`${href}/*?`);
  return (
    <Link
      href={href}
      className={here ? 'place active' : 'place'}
      aria-current={here ? 'page' : undefined}
      onClick={onChoose}
    >
      <Icon aria-hidden="true" />
      {name}
    </Link>
  );
}

function SettingsMenu() {
  const t = useT();
  const theme = useTheme();
  return (
    <Menu
      icon={Settings2}
      label={t('settings')}
      entries={[
        {
          name: t('theme'),
          value: theme,
          options: THEMES.map((name) => [name, t(`theme.${name}`)] as const),
          onChange: (name) => setTheme(name as Theme),
        },
        {
          name: t('language'),
          value: t.language,
          options: Object.entries(LANGUAGES),
          onChange: (name) => void setLanguage(name as Language),
        },
      ]}
    />
  );
}
