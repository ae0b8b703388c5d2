import type { Element, ElementContent, Root } from 'hast';
import { type ReactNode, useEffect, useState } from 'react';
import { useT } from '@/i18n';
import { CopyButton } from '@/ui/Button';

/** A block of code with its language, a button that copies it, and colours once they are loaded. */
export function CodeBlock({ node }: { node: Element | undefined }) {
  const t = useT();
  const code = node?.children.find((child): child is Element => child.type === 'element');
  const text = textOf(code).replace(/\n$/, '');
  const language = languageOf(code);
  const colours = useColours(text, language);
  return (
    <figure className="code">
      <figcaption>
        <span>{language || t('code')}</span>
        <CopyButton text={text} label={t('code.copy')} />
      </figcaption>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <pre tabIndex={0}>
        <code>{colours ?? text}</code>
      </pre>
    </figure>
  );
}

function useColours(text: string, language: string): ReactNode {
  const [coloured, setColoured] = useState<{ text: string; tree: Root } | null>(null);
  useEffect(() => {
    let wanted = true;
    if (language) {
      void import('./highlight').then(({ highlightCode }) => {
        const tree = highlightCode(text, language);
        if (wanted && tree) setColoured({ text, tree });
      });
    }
    return () => {
      wanted = false;
    };
  }, [text, language]);
  return coloured?.text === text ? coloured.tree.children.map(drawNode) : null;
}

function drawNode(node: Root['children'][number] | ElementContent, key: number): ReactNode {
  if (node.type === 'text') return node.value;
  if (node.type !== 'element') return null;
  const names = node.properties.className;
  return (
    <span key={key} className={Array.isArray(names) ? names.join(' ') : undefined}>
      {node.children.map(drawNode)}
    </span>
  );
}

function languageOf(code: Element | undefined): string {
  const names = code?.properties.className;
  const name = Array.isArray(names) ? names.find((item) => String(item).startsWith('language-')) : undefined;
  return String(name ?? '').replace('language-', '');
}

function textOf(node: ElementContent | undefined): string {
  if (node?.type === 'text') return node.value;
  return node?.type === 'element' ? node.children.map(textOf).join('') : '';
}
