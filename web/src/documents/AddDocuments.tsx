import { useQuery } from '@tanstack/react-query';
import { FolderUp, Globe, Upload } from 'lucide-react';
import { useId, useRef, useState } from 'react';
import { addSource, queryClient, sourcesQuery, systemQuery } from '@/api/queries';
import { useT } from '@/i18n';
import { notify } from '@/ui/announce';
import { Button } from '@/ui/Button';
import { ProblemNote } from '@/ui/ProblemNote';
import { formatSize } from '@/ui/time';
import { useDrop } from '@/ui/useDrop';
import { chosenFiles, droppedFiles } from './picked';
import { uploads } from './uploads';

interface AddDocumentsProps {
  collection: string;
  names: string[];
}

/** Files, folders and web pages to be read: dropped, chosen, or named by their address. */
export function AddDocuments({ collection: shown, names }: AddDocumentsProps) {
  const t = useT();
  const [typed, setTyped] = useState<string | null>(null);
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const list = useId();
  const limit = useQuery(systemQuery).data?.limits.max_file_bytes;
  const collection = (typed ?? shown).trim() || shown;
  const over = useDrop(
    (data) =>
      void droppedFiles(data).then(
        (found) => uploads.add(found, collection),
        () => notify(t('add.drop.failed')),
      ),
  );
  return (
    <section className={over ? 'drop over' : 'drop'} aria-label={t('add')}>
      <div className="drop-files">
        <Upload aria-hidden="true" />
        <p>
          <b>{t('add.drop')}</b>
          <span className="quiet">
            {t('add.kinds')} {limit !== undefined && t('add.limit', { size: formatSize(t.language, limit) })}
          </span>
        </p>
        <div className="drop-buttons">
          <Button kind="primary" onClick={() => files.current?.click()}>
            {t('add.files')}
          </Button>
          <Button onClick={() => folder.current?.click()}>
            <FolderUp aria-hidden="true" />
            {t('add.folder')}
          </Button>
        </div>
        {[files, folder].map((input, index) => (
          <input
            key={index === 0 ? 'files' : 'folder'}
            ref={input}
            type="file"
            multiple
            hidden
            tabIndex={-1}
            aria-hidden="true"
            {...(index === 1 && { webkitdirectory: '' })}
            onChange={(event) => {
              if (event.target.files) void uploads.add(chosenFiles(event.target.files), collection);
              event.target.value = '';
            }}
          />
        ))}
      </div>
      <div className="drop-more">
        <AddAddress collection={collection} />
        <label className="field drop-collection">
          {t('add.into')}
          <input
            list={list}
            value={typed ?? shown}
            maxLength={100}
            onChange={(event) => setTyped(event.target.value)}
          />
          <datalist id={list}>
            {names.map((name) => (
              <option key={name} value={name} />
            ))}
          </datalist>
        </label>
      </div>
    </section>
  );
}

function AddAddress({ collection }: { collection: string }) {
  const t = useT();
  const [address, setAddress] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const add = async () => {
    setBusy(true);
    setProblem(null);
    try {
      await addSource(address.trim(), collection, null, {});
      setAddress('');
      notify(t('add.url.added'));
      void queryClient.invalidateQueries(sourcesQuery);
    } catch (error) {
      setProblem(error);
    }
    setBusy(false);
  };
  return (
    <form
      className="drop-url"
      onSubmit={(event) => {
        event.preventDefault();
        void add();
      }}
    >
      <label className="field">
        {t('add.url')}
        <span className="with-button">
          <Globe aria-hidden="true" />
          <input
            type="url"
            required
            placeholder="https://"
            value={address}
            onChange={(event) => setAddress(event.target.value)}
          />
          <Button type="submit" disabled={busy || !address.trim()}>
            {t('add.url.read')}
          </Button>
        </span>
      </label>
      {problem !== null && <ProblemNote error={problem} />}
    </form>
  );
}
