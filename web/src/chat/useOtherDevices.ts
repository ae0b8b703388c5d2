import { useEffect } from 'react';
import { liveAnswers } from './live';

const EVERY = 15_000; // milliseconds

/** Keeps up with what another device does in this conversation: looks now and then, and whenever one comes back to this window. */
export function useOtherDevices(id: string | null, known: boolean): void {
  useEffect(() => {
    if (!id) return;
    void liveAnswers.resume(id);
    const look = () => {
      if (known && document.visibilityState === 'visible') void liveAnswers.resume(id);
    };
    const timer = setInterval(look, EVERY);
    document.addEventListener('visibilitychange', look);
    addEventListener('focus', look);
    return () => {
      clearInterval(timer);
      document.removeEventListener('visibilitychange', look);
      removeEventListener('focus', look);
    };
  }, [id, known]);
}
