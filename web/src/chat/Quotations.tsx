import { Fragment } from 'react';
import type { AnswerUnit, Citation } from '@/api/types';
import { useT } from '@/i18n';
import { CitationChip } from './CitationChip';
import { listCells, splitAtWords, splitCode, splitList } from './quotation';
import type { Shown } from './shown';

/** An answer without a model: what was found in the documents, the best first, each piece as what it is. */
export function Quotations({ shown }: { shown: Shown }) {
  const t = useT();
  return (
    <div className="answer quotations">
      <p className="quiet">{t('quotes.note')}</p>
      {shown.units.map((unit) => (
        <Quotation key={unit.markers[0]} unit={unit} shown={shown} />
      ))}
    </div>
  );
}

function Quotation({ unit, shown }: { unit: AnswerUnit; shown: Shown }) {
  const t = useT();
  const cited = shown.citations.filter((citation) => unit.markers.includes(citation.marker));
  return (
    <figure className="quotation">
      <QuotedText unit={unit} cited={cited} question={shown.question} />
      <figcaption>
        {cited.map((citation) => (
          <CitationChip key={citation.marker} marker={citation.marker} citation={citation} shown={shown} />
        ))}
        <span className="quotation-place">
          {[unit.title, ...unit.heading_path.filter((name) => name !== unit.title)].map((name, at) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a heading may stand below one of the same name
            <Fragment key={at}>
              {at > 0 && <span aria-hidden="true"> › </span>}
              {at === 0 ? <b>{name}</b> : name}
            </Fragment>
          ))}
        </span>
        {unit.page !== null && <span>{t('page', { page: unit.page })}</span>}
      </figcaption>
    </figure>
  );
}

function QuotedText({ unit, cited, question }: { unit: AnswerUnit; cited: Citation[]; question: string }) {
  const quote = cited[0]?.quote ?? unit.text;
  switch (unit.kind) {
    case 'code': {
      const { lead, code } = splitCode(quote);
      return (
        <>
          {lead && (
            <p>
              <Marked text={lead} question={question} />
            </p>
          )}
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and the keyboard must reach it */}
          <pre tabIndex={0}>
            <code>{code}</code>
          </pre>
        </>
      );
    }
    case 'list': {
      const { lead, items } = splitList(quote);
      return (
        <blockquote>
          {lead && (
            <p>
              <Marked text={lead} question={question} />
            </p>
          )}
          <ul>
            {items.map((item) => (
              <li key={item}>
                <Marked text={item} question={question} />
              </li>
            ))}
          </ul>
        </blockquote>
      );
    }
    case 'row':
      return <Row text={unit.text} question={question} />;
    case 'computed':
      return (
        <>
          <p className="computed">{unit.text}</p>
          {cited.map((citation) => (
            <Row key={citation.marker} text={citation.quote} question={question} />
          ))}
        </>
      );
    default:
      return (
        <blockquote>
          <Marked text={unit.text} question={question} />
        </blockquote>
      );
  }
}

/** A row of a table below the names of its columns; as it stands where it has none. */
function Row({ text, question }: { text: string; question: string }) {
  const t = useT();
  const cells = listCells(text);
  const named = cells.some((cell) => cell.name);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and the keyboard must reach it
    <div className="table-scroll" role="group" aria-label={t('table')} tabIndex={0}>
      <table>
        {named && (
          <thead>
            <tr>
              {cells.map((cell) => (
                <th key={cell.at} scope="col">
                  {cell.name}
                </th>
              ))}
            </tr>
          </thead>
        )}
        <tbody>
          <tr>
            {cells.map((cell) => (
              <td key={cell.at}>
                <Marked text={cell.value} question={question} />
              </td>
            ))}
          </tr>
        </tbody>
      </table>
    </div>
  );
}

/** A text with the words of the question marked. */
function Marked({ text, question }: { text: string; question: string }) {
  return splitAtWords(text, question).map((part) =>
    part.asked ? <mark key={part.at}>{part.text}</mark> : <Fragment key={part.at}>{part.text}</Fragment>,
  );
}
