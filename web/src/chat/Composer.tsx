import { useQuery } from '@tanstack/react-query';
import { ArrowUp, Square } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { collectionsQuery, systemQuery } from '@/api/queries';
import { useT } from '@/i18n';
import { IconButton } from '@/ui/Button';
import { readValue, storeValue } from '@/ui/storage';
import { isEnded, type LiveAnswer } from './answer';
import { readDraft, saveDraft } from './draft';
import { Markdown } from './lazyMarkdown';
import { Thread } from './lazyThread';
import { liveAnswers } from './live';

interface ComposerProps {
  id: string | null;
  live: LiveAnswer | undefined;
  onAsk: (text: string, options: { collection: string | null }) => void;
}

/** Where questions are written. A draft is kept for each conversation. */
export function Composer({ id, live, onAsk }: ComposerProps) {
  const t = useT();
  const [text, setText] = useState(() => readDraft(id));
  const [collection, setCollection] = useState<string | null>(() => readValue('collection'));
  const field = useRef<HTMLTextAreaElement>(null);
  const limit = useQuery(systemQuery).data?.limits.question_length;
  const running = live !== undefined && !isEnded(live) && !live.cut?.givenUp;
  const tooLong = limit !== undefined && [...text].length > limit;
  const ready = text.trim() !== '' && !running && !tooLong;

  useEffect(() => {
    if (matchMedia('(hover: hover)').matches) field.current?.focus({ preventScroll: true });
  }, []);
  const asking = text !== '';
  useEffect(() => {
    if (!asking) return;
    // So that they are there when the answer comes.
    Thread.load().catch(() => undefined);
    Markdown.load().catch(() => undefined);
  }, [asking]);
  useEffect(() => {
    const element = field.current;
    if (!element) return;
    element.style.height = 'auto';
    element.style.height = `${text ? element.scrollHeight : 0}px`;
    saveDraft(id, text);
  }, [text, id]);

  const send = () => {
    if (!ready) return;
    saveDraft(id, '');
    setText('');
    onAsk(text.trim(), { collection });
  };
  return (
    <form
      className="composer column"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <div className="composer-box">
        <textarea
          ref={field}
          rows={1}
          value={text}
          aria-label={t('composer.label')}
          aria-describedby={tooLong ? 'composer-limit' : undefined}
          aria-invalid={tooLong}
          placeholder={t(id ? 'composer.more' : 'composer.first')}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing) {
              event.preventDefault();
              send();
            }
          }}
        />
        <div className="composer-foot">
          <CollectionChoice
            value={collection}
            onChange={(name) => {
              setCollection(name);
              storeValue('collection', name);
            }}
          />
          {tooLong && (
            <span id="composer-limit" className="composer-limit" role="alert">
              {t('composer.long', { limit })}
            </span>
          )}
          {running ? (
            <IconButton
              icon={Square}
              label={t(live.stopping ? 'stop.busy' : 'stop')}
              className="send"
              disabled={live.stopping}
              onClick={() => void liveAnswers.stop(live.question.conversationId)}
            />
          ) : (
            <IconButton icon={ArrowUp} label={t('send')} className="send" type="submit" disabled={!ready} />
          )}
        </div>
      </div>
      <p className="composer-note">{t('composer.note')}</p>
    </form>
  );
}

function CollectionChoice({ value, onChange }: { value: string | null; onChange: (name: string | null) => void }) {
  const t = useT();
  const collections = useQuery(collectionsQuery).data ?? [];
  if (collections.length < 2 && value === null) return <span />;
  return (
    <select
      className="choice"
      aria-label={t('composer.where')}
      value={value ?? ''}
      onChange={(event) => onChange(event.target.value || null)}
    >
      <option value="">{t('collections.all')}</option>
      {collections.map((item) => (
        <option key={item.name} value={item.name}>
          {item.name}
        </option>
      ))}
      {value !== null && !collections.some((item) => item.name === value) && <option value={value}>{value}</option>}
    </select>
  );
}
