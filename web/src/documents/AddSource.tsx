import { useState } from 'react';
import { addSource, queryClient, sourcesQuery } from '@/api/queries';
import { useT } from '@/i18n';
import { notify } from '@/ui/announce';
import { Button } from '@/ui/Button';
import { Dialog } from '@/ui/Dialog';
import { ProblemNote } from '@/ui/ProblemNote';
import { INTERVALS, intervalKey } from './intervals';

const MODES = ['page', 'crawl', 'sitemap'] as const;
type Mode = (typeof MODES)[number];

/** Registers a web site, a bucket or a wiki, to be read now and kept in sync. */
export function AddSource({ onClose }: { onClose: () => void }) {
  const t = useT();
  const [location, setLocation] = useState('');
  const [collection, setCollection] = useState('default');
  const [every, setEvery] = useState('86400');
  const [mode, setMode] = useState<Mode>('page');
  const [problem, setProblem] = useState<unknown>(null);
  const web = /^https?:/i.test(location.trim());
  const add = async () => {
    try {
      const options = web && mode !== 'page' ? { mode } : {};
      await addSource(location.trim(), collection.trim() || 'default', every ? Number(every) : null, options);
      notify(t('source.added'));
      void queryClient.invalidateQueries(sourcesQuery);
      onClose();
    } catch (error) {
      setProblem(error);
    }
  };
  return (
    <Dialog title={t('source.add')} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void add();
        }}
      >
        <div className="dialog-body">
          <label className="field">
            {t('source.location')}
            <input
              value={location}
              required
              placeholder="https://example.org/docs/"
              onChange={(event) => setLocation(event.target.value)}
            />
            <span className="hint">{t('source.location.hint')}</span>
          </label>
          {web && (
            <label className="field">
              {t('source.mode')}
              <select className="choice" value={mode} onChange={(event) => setMode(event.target.value as Mode)}>
                {MODES.map((name) => (
                  <option key={name} value={name}>
                    {t(`source.mode.${name}`)}
                  </option>
                ))}
              </select>
            </label>
          )}
          <label className="field">
            {t('add.into')}
            <input value={collection} maxLength={100} onChange={(event) => setCollection(event.target.value)} />
          </label>
          <label className="field">
            {t('source.every')}
            <select className="choice" value={every} onChange={(event) => setEvery(event.target.value)}>
              <option value="">{t('every.demand')}</option>
              {INTERVALS.map((item) => (
                <option key={item.name} value={item.seconds}>
                  {t(intervalKey(item))}
                </option>
              ))}
            </select>
          </label>
          {problem !== null && <ProblemNote error={problem} />}
        </div>
        <div className="dialog-foot">
          <Button onClick={onClose}>{t('cancel')}</Button>
          <Button kind="primary" type="submit" disabled={!location.trim()}>
            {t('source.add')}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
