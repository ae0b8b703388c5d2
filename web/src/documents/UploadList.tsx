import { CircleCheck, CircleX, Clock, LoaderCircle, RotateCw } from 'lucide-react';
import { useEffect, useSyncExternalStore } from 'react';
import { Link } from 'wouter';
import { useT } from '@/i18n';
import { announce } from '@/ui/announce';
import { Button } from '@/ui/Button';
import { explainProblem } from '@/ui/ProblemNote';
import { reasonOf } from '@/ui/Reason';
import { formatSize } from '@/ui/time';
import { isEnded, type Upload, type UploadState, uploads } from './uploads';

const ICONS: Record<UploadState, typeof Clock> = {
  waiting: Clock,
  sending: LoaderCircle,
  queued: Clock,
  reading: LoaderCircle,
  done: CircleCheck,
  failed: CircleX,
  cancelled: CircleX,
};
const SHOWN = 200;

/** What was added here and how far it is, with the reason where something failed. */
export function UploadList() {
  const t = useT();
  const all = useSyncExternalStore(uploads.subscribe, uploads.list);
  const ended = all.filter(isEnded).length;
  const failed = all.filter((item) => item.state === 'failed').length;
  useEffect(() => {
    if (all.length > 0 && ended === all.length) announce(t('uploads.ended', { count: ended - failed, failed }));
  }, [all.length, ended, failed, t]);
  if (all.length === 0) return null;
  return (
    <section className="page-section uploads" aria-label={t('uploads')}>
      <header className="section-head">
        <h2>{t('uploads')}</h2>
        <span className="quiet">{t('uploads.sum', { ended, count: all.length })}</span>
        <span className="spacer" />
        {failed > 1 && (
          <Button
            onClick={() => all.filter((item) => item.state === 'failed').forEach((item) => void uploads.retry(item.id))}
          >
            {t('uploads.retry-all')}
          </Button>
        )}
        {ended > 0 && (
          <Button kind="quiet" onClick={() => uploads.clear()}>
            {t('uploads.clear')}
          </Button>
        )}
      </header>
      <ul>
        {all.slice(0, SHOWN).map((upload) => (
          <UploadRow key={upload.id} upload={upload} />
        ))}
      </ul>
      {all.length > SHOWN && <p className="quiet">{t('uploads.more', { count: all.length - SHOWN })}</p>}
    </section>
  );
}

function UploadRow({ upload }: { upload: Upload }) {
  const t = useT();
  const { state, problem, progress, documentId } = upload;
  const Icon = ICONS[state];
  const told = problem && explainProblem(t, problem);
  return (
    <li className={`upload upload-${state}`}>
      <Icon aria-hidden="true" />
      <div className="upload-text">
        <span className="upload-name">
          {documentId && state === 'done' ? <Link href={`/documents/${documentId}`}>{upload.path}</Link> : upload.path}
        </span>
        {problem ? (
          <span className="upload-reason">
            {reasonOf(t, { code: problem.code, message: problem.detail }) || `${told?.title} ${told?.advice}`}
          </span>
        ) : (
          <span className="quiet">
            {t(`upload.${state}`)} · {formatSize(t.language, upload.file.size)}
          </span>
        )}
        {progress !== null && !isEnded(upload) && <progress value={progress} aria-label={upload.path} />}
      </div>
      {state === 'failed' && (
        <Button onClick={() => void uploads.retry(upload.id)}>
          <RotateCw aria-hidden="true" />
          {t('retry')}
        </Button>
      )}
    </li>
  );
}
