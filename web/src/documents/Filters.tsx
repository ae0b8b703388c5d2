import { Search } from 'lucide-react';
import type { DocumentFilter } from '@/api/queries';
import type { Collection } from '@/api/types';
import { useT } from '@/i18n';
import { number } from '@/i18n/formats';

interface FiltersProps {
  filter: DocumentFilter;
  collections: Collection[];
  onChange: (filter: DocumentFilter) => void;
}

export function Filters({ filter, collections, onChange }: FiltersProps) {
  const t = useT();
  return (
    <div className="filters">
      <label className="search">
        <Search aria-hidden="true" />
        <span className="unseen">{t('documents.search')}</span>
        <input
          type="search"
          value={filter.words}
          placeholder={t('documents.search')}
          onChange={(event) => onChange({ ...filter, words: event.target.value })}
        />
      </label>
      <select
        className="choice"
        aria-label={t('collection')}
        value={filter.collection}
        onChange={(event) => onChange({ ...filter, collection: event.target.value })}
      >
        <option value="">{t('collections.all')}</option>
        {collections.map((item) => (
          <option key={item.name} value={item.name}>
            {item.name} ({number(t.language, item.documents)})
          </option>
        ))}
      </select>
      <select
        className="choice"
        aria-label={t('status')}
        value={filter.status}
        onChange={(event) => onChange({ ...filter, status: event.target.value })}
      >
        <option value="">{t('status.all')}</option>
        <option value="indexed">{t('status.indexed')}</option>
        <option value="failed">{t('status.failed')}</option>
      </select>
    </div>
  );
}
