import type { Hit } from '@/api/types';
import { useT } from '@/i18n';

/** Why a passage was chosen: its rank, and what it was found by. */
export function Explanation({ hits, rank }: { hits: Hit[]; rank: number }) {
  const t = useT();
  const hit = hits[rank];
  if (!hit) return null;
  const { dense_score: meaning, lexical_score: words } = hit;
  const best = Math.max(...hits.map((item) => item.lexical_score ?? 0), 1e-9);
  const why = meaning !== null && words !== null ? 'why.both' : meaning !== null ? 'why.meaning' : 'why.words';
  return (
    <details className="why">
      <summary>{t('why')}</summary>
      <p>
        {t('why.rank', { rank: rank + 1, count: hits.length })} {t(why)}
      </p>
      <dl>
        <Score name={t('why.score')} value={hit.score} share={hit.score} />
        {meaning !== null && <Score name={t('why.score.meaning')} value={meaning} share={meaning} />}
        {words !== null && <Score name={t('why.score.words')} value={words} share={words / best} />}
      </dl>
    </details>
  );
}

function Score({ name, value, share }: { name: string; value: number; share: number }) {
  const { language } = useT();
  return (
    <div className="score">
      <dt>{name}</dt>
      <dd>
        <meter min={0} max={1} value={Math.max(0, Math.min(1, share))} aria-label={name} />
        {value.toLocaleString(language, { maximumFractionDigits: 2 })}
      </dd>
    </div>
  );
}
