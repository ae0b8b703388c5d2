import { useSyncExternalStore } from 'react';

/** Short messages: shown for a while in the corner, and read out by screen readers. */
interface Notice {
  id: number;
  text: string;
}

let notices: readonly Notice[] = [];
let spoken = '';
let count = 0;
const listeners = new Set<() => void>();
const SHOWN = 4500; // milliseconds

function notifyListeners(): void {
  for (const listener of listeners) listener();
}

/** Shows a message for some seconds, and has it read out. */
export function notify(text: string): void {
  count += 1;
  const notice = { id: count, text };
  notices = [...notices.slice(-2), notice];
  notifyListeners();
  setTimeout(() => {
    notices = notices.filter((item) => item.id !== notice.id);
    notifyListeners();
  }, SHOWN);
}

/** Has something read out that everybody else sees anyway. */
export function announce(text: string): void {
  spoken = text;
  notifyListeners();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function Announcements() {
  const shown = useSyncExternalStore(subscribe, () => notices);
  const said = useSyncExternalStore(subscribe, () => spoken);
  return (
    <>
      <div className="notices" role="status" aria-live="polite">
        {shown.map((notice) => (
          <div key={notice.id} className="notice">
            {notice.text}
          </div>
        ))}
      </div>
      <div className="unseen" role="log" aria-live="polite" aria-atomic="true">
        {said}
      </div>
    </>
  );
}
