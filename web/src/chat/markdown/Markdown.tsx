import './markdown.css';
import type { Element } from 'hast';
import { type ComponentProps, lazy, Suspense, useMemo } from 'react';
import ReactMarkdown, { type Components, type ExtraProps, type Options } from 'react-markdown';
import rehypeSanitize, { defaultSchema } from 'rehype-sanitize';
import remarkGfm from 'remark-gfm';
import remarkMath from 'remark-math';
import { useT } from '@/i18n';
import { type Anchors, rehypeAnchors } from './anchors';
import { CodeBlock } from './CodeBlock';
import { convertDelimiters, hasMath, hasSingleDollars } from './math';

const Formula = lazy(() => import('./Formula'));

const SCHEMA = {
  ...defaultSchema,
  attributes: {
    ...defaultSchema.attributes,
    code: [['className', /^language-[\w+#-]+$/, 'math-inline', 'math-display']],
  },
} as typeof defaultSchema;

type Chip = (props: { marker: number; citation: number }) => React.ReactNode;

interface MarkdownProps {
  text: string;
  anchors: Omit<Anchors, 'source'>;
  chip: Chip;
}

/** An answer's Markdown. Whatever stands in it, nothing is loaded from elsewhere, and no markup of its own gets into the page. */
export default function Markdown({ text, anchors, chip }: MarkdownProps) {
  const source = convertDelimiters(text);
  const components = useMemo(() => buildComponents(chip), [chip]);
  const remarkPlugins: Options['remarkPlugins'] = [[remarkGfm, { singleTilde: false }]];
  const rehypePlugins: Options['rehypePlugins'] = [
    [rehypeSanitize, SCHEMA],
    [rehypeAnchors, { ...anchors, source }],
  ];
  if (hasMath(source)) remarkPlugins.push([remarkMath, { singleDollarTextMath: hasSingleDollars(source) }]);
  return (
    <div className="markdown">
      <ReactMarkdown remarkPlugins={remarkPlugins} rehypePlugins={rehypePlugins} components={components}>
        {source}
      </ReactMarkdown>
    </div>
  );
}

function buildComponents(chip: Chip): Components {
  return {
    a: SafeLink,
    // A picture is loaded from where its address says as soon as it is shown: its words alone are.
    img: ({ alt }) => <span className="no-picture">{alt}</span>,
    pre: ({ node, children }) => (isFormula(node) ? children : <CodeBlock node={node} />),
    code: Code,
    table: ScrollingTable,
    h1: 'h3',
    h2: 'h3',
    h3: 'h4',
    h4: 'h5',
    h5: 'h6',
    cite: ({ node }) => {
      const { dataMarker, dataCitation } = node?.properties ?? {};
      return chip({ marker: Number(dataMarker), citation: Number(dataCitation) });
    },
    mark: Unsupported,
    input: ({ checked }) => (
      <input type="checkbox" checked={checked ?? false} disabled aria-label={checked ? '✓' : '✗'} />
    ),
  };
}

function isFormula(pre: Element | undefined): boolean {
  const code = pre?.children[0];
  const names = code?.type === 'element' ? code.properties.className : null;
  return Array.isArray(names) && names.includes('math-display');
}

/** Code in a line, or a formula. */
function Code({ className = '', children }: ComponentProps<'code'>) {
  if (!className.includes('math-')) return <code>{children}</code>;
  return (
    <Suspense fallback={<code>{children}</code>}>
      <Formula tex={String(children)} display={className.includes('math-display')} />
    </Suspense>
  );
}

function SafeLink({ href, children }: ComponentProps<'a'>) {
  if (!/^https?:/i.test(href ?? '')) return <span>{children}</span>;
  return (
    <a href={href} title={href} target="_blank" rel="noopener noreferrer nofollow">
      {children}
    </a>
  );
}

function ScrollingTable({ children }: ComponentProps<'table'>) {
  const t = useT();
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <div className="table-scroll" tabIndex={0} role="region" aria-label={t('table')}>
      <table>{children}</table>
    </div>
  );
}

/** A sentence that no passage supports, or the place of one that is withheld. */
function Unsupported({ node, children }: ComponentProps<'mark'> & ExtraProps) {
  const t = useT();
  const { dataWithheld, dataLast } = node?.properties ?? {};
  if (dataWithheld) return <mark className="withheld">{t('answer.withheld')}</mark>;
  return (
    <mark className="unsupported" title={t('answer.unsupported')}>
      {children}
      {dataLast && <span className="unsupported-note">{t('answer.unsupported.mark')}</span>}
    </mark>
  );
}
