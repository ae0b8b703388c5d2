import { body, GET } from '@/api/client';
import type { Job } from '@/api/types';
import { apiUrl } from '@/config';

type Listener = (job: Job) => void;

/** Every change of a job from now on, over one connection for as long as somebody listens. */
class JobChanges {
  private listeners = new Set<Listener>();
  private events: EventSource | null = null;
  private latest = new Map<string, string>();

  subscribe(listener: Listener): () => void {
    this.listeners.add(listener);
    this.open();
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size === 0) {
        this.events?.close();
        this.events = null;
      }
    };
  }

  private open(): void {
    if (this.events) return;
    this.events = new EventSource(apiUrl('/api/jobs'));
    this.events.addEventListener('job', (event: MessageEvent<string>) => this.tell(JSON.parse(event.data) as Job));
    // It comes back by itself; what changed before it was open, or meanwhile, is asked for.
    this.events.addEventListener('open', () => void this.catchUp());
  }

  private async catchUp(): Promise<void> {
    const found = await body(GET('/api/jobs', { params: { query: { limit: 1000 } } })).catch(() => null);
    for (const job of found?.jobs ?? []) this.tell(job);
  }

  private tell(job: Job): void {
    // What was asked for may come after a change that it does not know of yet.
    const moment = job.updated_at ?? '';
    if (moment < (this.latest.get(job.id) ?? '')) return;
    this.latest.set(job.id, moment);
    for (const listener of this.listeners) listener(job);
  }
}

export const jobChanges = new JobChanges();
