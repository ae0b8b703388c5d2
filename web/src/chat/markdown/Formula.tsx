import 'katex/dist/katex.min.css';
import katex from 'katex';
import { useLayoutEffect, useRef } from 'react';

/** A formula. It is built as elements: text with style attributes would be stopped by the page's policy. */
export default function Formula({ tex, display }: { tex: string; display: boolean }) {
  const place = useRef<HTMLSpanElement>(null);
  useLayoutEffect(() => {
    const options = {
      displayMode: display,
      throwOnError: false,
      strict: false,
      trust: false,
      maxSize: 20,
      maxExpand: 200,
    };
    if (place.current) katex.render(tex, place.current, options);
  }, [tex, display]);
  return <span ref={place} className={display ? 'formula-block' : 'formula'} />;
}
