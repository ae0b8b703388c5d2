import { QueryClientProvider } from '@tanstack/react-query';
import { Menu as MenuIcon } from 'lucide-react';
import { Suspense, useEffect, useState } from 'react';
import { Link, Redirect, Route, Router, Switch, useLocation } from 'wouter';
import { queryClient } from './api/queries';
import { ChatPage } from './chat/ChatPage';
import { basePath } from './config';
import { Sidebar } from './conversations/Sidebar';
import { droppedFiles } from './documents/picked';
import { useT } from './i18n';
import { judge, ServerBanner } from './system/ServerBanner';
import { Announcements } from './ui/announce';
import { Banner } from './ui/Banner';
import { Boundary } from './ui/Boundary';
import { IconButton } from './ui/Button';
import { Dialog } from './ui/Dialog';
import { Logo } from './ui/Logo';
import { LayerContext } from './ui/layer';
import { loadLazily } from './ui/loadLazily';
import { useNarrow } from './ui/narrow';
import { storageWorks } from './ui/storage';
import { useDrop } from './ui/useDrop';

const DocumentsPage = loadLazily(async () => (await import('./rest')).DocumentsPage);
const DocumentPage = loadLazily(async () => (await import('./rest')).DocumentPage);
const SourcesPage = loadLazily(async () => (await import('./rest')).SourcesPage);
const SystemPage = loadLazily(async () => (await import('./rest')).SystemPage);

export function App() {
  return (
    <QueryClientProvider client={queryClient}>
      <Router base={basePath}>
        <Shell />
      </Router>
    </QueryClientProvider>
  );
}

function Shell() {
  const t = useT();
  const [place, navigate] = useLocation();
  const [drawer, setDrawer] = useState(false);
  const [told, setTold] = useState(false);
  const narrow = useNarrow();
  // Once drawn it stays, so that what was typed into it outlives a turn of the screen and a print.
  const [wide, setWide] = useState(!narrow);
  if (!narrow && !wide) setWide(true);
  const [side, setSide] = useState<HTMLElement | null>(null);
  useEffect(() => {
    if (place) setDrawer(false);
  }, [place]);
  // On the page of the documents they go into the collection that is chosen there.
  const over = useDrop(
    place === '/documents' ? null : (data) => void addDropped(data).then(() => navigate('/documents')),
  );
  return (
    <div className={over ? 'shell over' : 'shell'}>
      <button type="button" className="skip" onClick={() => document.getElementById('main')?.focus()}>
        {t('skip')}
      </button>
      <header className="topbar">
        <IconButton icon={MenuIcon} label={t('menu')} onClick={() => setDrawer(true)} />
        <Link href="/" className="brand">
          <Logo />
          Anchorage
        </Link>
      </header>
      {wide && (
        <aside ref={setSide} className="side" aria-label={t('sidebar')}>
          <LayerContext value={side}>
            <Sidebar />
          </LayerContext>
        </aside>
      )}
      {drawer && (
        <Dialog title={t('menu')} className="drawer" onClose={() => setDrawer(false)}>
          <Sidebar onChoose={() => setDrawer(false)} />
        </Dialog>
      )}
      <div className="stage">
        <ServerBanner />
        {!storageWorks && !told && <Banner onClose={() => setTold(true)}>{t('storage.off')}</Banner>}
        <Boundary place={place} onError={judge}>
          <Suspense
            fallback={
              <main id="main" className="pad quiet" role="status">
                {t('loading')}
              </main>
            }
          >
            <Pages />
          </Suspense>
        </Boundary>
      </div>
      <Announcements />
    </div>
  );
}

/** Files that were dropped on the page, wherever it is. What was dropped can be read in this moment only. */
async function addDropped(data: DataTransfer): Promise<void> {
  const found = droppedFiles(data);
  const { uploads } = await import('./rest');
  await uploads.add(await found, 'default');
}

function Pages() {
  return (
    <Switch>
      <Route path="/">{() => <ChatPage id={null} />}</Route>
      <Route path="/c/:id">{({ id }) => <ChatPage id={id} />}</Route>
      <Route path="/documents">{() => <DocumentsPage />}</Route>
      <Route path="/documents/:id">{({ id }) => <DocumentPage key={id} id={id} />}</Route>
      <Route path="/sources">{() => <SourcesPage />}</Route>
      <Route path="/system">{() => <SystemPage />}</Route>
      <Route>{() => <Redirect to="/" />}</Route>
    </Switch>
  );
}
