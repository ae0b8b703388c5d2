import { SearchX } from 'lucide-react';
import { memo, Suspense, useCallback, useMemo } from 'react';
import { useT } from '@/i18n';
import { unitSpans } from '@/text/codepoints';
import { CitationChip } from './CitationChip';
import { Markdown } from './lazyMarkdown';
import { Quotations } from './lazyQuotations';
import { NearestPassages } from './NearestPassages';
import { localizeAnswer, type Shown } from './shown';

/** The words of an answer. */
export const AnswerBody = memo(function AnswerBody({ shown }: { shown: Shown }) {
  const t = useT();
  const { text, unsupported, citations, writing, hits } = shown;
  const passages = writing ? (hits?.length ?? 0) : 0;
  const anchors = useMemo(
    () => ({ unsupported: unitSpans(text, unsupported), citations, passages }),
    [text, unsupported, citations, passages],
  );
  const chip = useCallback(
    ({ marker, citation }: { marker: number; citation: number }) => (
      <CitationChip marker={marker} citation={citations[citation]} shown={shown} />
    ),
    [citations, shown],
  );
  if (shown.abstained) {
    return (
      <section className="abstention" aria-label={t('abstained')}>
        <SearchX aria-hidden="true" />
        <div>
          <h3>{t('abstained')}</h3>
          <p>{localizeAnswer(t, text, true)}</p>
          <NearestPassages shown={shown} />
        </div>
      </section>
    );
  }
  if (shown.units.length > 0) {
    return (
      <Suspense fallback={<p className="answer plain">{text}</p>}>
        <Quotations shown={shown} />
      </Suspense>
    );
  }
  return (
    <div className={writing ? 'answer writing' : 'answer'}>
      <Suspense fallback={<p className="plain">{text}</p>}>
        <Markdown text={text} anchors={anchors} chip={chip} />
      </Suspense>
      {unsupported.length > 0 && (
        <p className="unsupported-sum">{t('answer.unsupported.count', { count: unsupported.length })}</p>
      )}
    </div>
  );
}, isSameAnswer);

function isSameAnswer({ shown: a }: { shown: Shown }, { shown: b }: { shown: Shown }): boolean {
  return (Object.keys(a) as (keyof Shown)[]).every((key) => a[key] === b[key]);
}
