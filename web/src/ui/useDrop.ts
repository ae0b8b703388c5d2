import { useEffect, useRef, useState } from 'react';

/** Takes files that are dropped anywhere on the page, and tells whether some are held over it. Else the browser would leave the page for them. */
export function useDrop(take: ((data: DataTransfer) => void) | null): boolean {
  const [over, setOver] = useState(false);
  const taker = useRef(take);
  taker.current = take;
  const wanted = take !== null;
  useEffect(() => {
    if (!wanted) return;
    const holds = (event: DragEvent) => event.dataTransfer?.types.includes('Files') === true;
    const hover = (event: DragEvent) => {
      if (!holds(event)) return;
      event.preventDefault();
      setOver(true);
    };
    const leave = (event: DragEvent) => {
      if (event.relatedTarget === null) setOver(false);
    };
    const drop = (event: DragEvent) => {
      setOver(false);
      if (!holds(event)) return;
      event.preventDefault();
      if (event.dataTransfer) taker.current?.(event.dataTransfer);
    };
    addEventListener('dragover', hover);
    addEventListener('dragleave', leave);
    addEventListener('drop', drop);
    return () => {
      removeEventListener('dragover', hover);
      removeEventListener('dragleave', leave);
      removeEventListener('drop', drop);
    };
  }, [wanted]);
  return over;
}
