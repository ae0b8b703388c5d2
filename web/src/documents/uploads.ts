import { asProblem, Problem, problemFrom } from '@/api/problem';
import { collectionsQuery, documentsKey, queryClient, retryJob, systemQuery } from '@/api/queries';
import type { Job, Queued } from '@/api/types';
import { apiUrl } from '@/config';
import { jobChanges } from './jobs';

/** waiting: not sent yet; sending; queued, reading: with the server; then its end. */
export type UploadState = 'waiting' | 'sending' | 'queued' | 'reading' | 'done' | 'failed' | 'cancelled';

export interface Upload {
  id: number;
  file: File;
  /** With the folders that it came in. */
  path: string;
  collection: string;
  state: UploadState;
  /** Between 0 and 1, where it is known. */
  progress: number | null;
  problem: Problem | null;
  jobId: string | null;
  documentId: string | null;
}

export interface Picked {
  file: File;
  path: string;
}

const AT_ONCE = 3;
const ENDS: Record<Job['status'], UploadState> = {
  queued: 'queued',
  running: 'reading',
  done: 'done',
  failed: 'failed',
  cancelled: 'cancelled',
};

/** The files that were added here, and how far each one is. */
class Uploads {
  private all: readonly Upload[] = [];
  private count = 0;
  private listeners = new Set<() => void>();
  private unfollow: (() => void) | null = null;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly list = (): readonly Upload[] => this.all;

  async add(picked: readonly Picked[], collection: string): Promise<void> {
    const limits = await queryClient.fetchQuery({ ...systemQuery, staleTime: 60_000 }).then(
      (system) => system.limits,
      () => null, // the server says it then, file by file
    );
    const added = picked.map(({ file, path }): Upload => {
      this.count += 1;
      const large = limits !== null && file.size > Math.min(limits.max_file_bytes, limits.max_upload_bytes);
      const problem = large ? new Problem(413, 'too_large', '') : null;
      const state = large ? 'failed' : 'waiting';
      return { id: this.count, file, path, collection, state, progress: null, problem, jobId: null, documentId: null };
    });
    this.put([...added, ...this.all]);
    this.next();
  }

  /** Sends a file again, or has the server read it again. */
  async retry(id: number): Promise<void> {
    const upload = this.all.find((item) => item.id === id);
    if (!upload) return;
    if (!upload.jobId) {
      this.change(id, { state: 'waiting', problem: null, progress: null });
      this.next();
      return;
    }
    try {
      await retryJob(upload.jobId);
      this.change(id, { state: 'queued', problem: null, progress: null });
      this.follow();
    } catch (error) {
      this.change(id, { problem: asProblem(error) });
    }
  }

  clear(): void {
    this.put(this.all.filter((item) => !isEnded(item)));
  }

  private next(): void {
    const sending = this.all.filter((item) => item.state === 'sending').length;
    const waiting = this.all.filter((item) => item.state === 'waiting').toSorted((a, b) => a.id - b.id);
    for (const upload of waiting.slice(0, AT_ONCE - sending)) this.send(upload);
  }

  private send(upload: Upload): void {
    this.change(upload.id, { state: 'sending', progress: 0 });
    const form = new FormData();
    form.append('collection', upload.collection);
    form.append('files', upload.file, upload.path);
    const sending = new XMLHttpRequest(); // fetch tells no progress of what is sent
    sending.open('POST', apiUrl('/api/documents?paths=true'));
    sending.upload.onprogress = ({ loaded, total }) =>
      this.change(upload.id, { progress: total ? loaded / total : null });
    sending.onload = () => {
      const headers = { get: (name: string) => sending.getResponseHeader(name) } as Headers;
      if (sending.status >= 300)
        this.failed(upload, problemFrom({ status: sending.status, headers }, sending.responseText));
      else this.sent(upload, JSON.parse(sending.responseText) as Queued);
    };
    sending.onerror = () => this.failed(upload, new Problem(0, 'unreachable', ''));
    sending.send(form);
  }

  private sent(upload: Upload, queued: Queued): void {
    this.change(upload.id, { state: 'queued', progress: null, jobId: queued.job_ids[0] ?? null });
    this.follow();
    this.next();
  }

  private failed(upload: Upload, problem: Problem): void {
    this.change(upload.id, { state: 'failed', progress: null, problem });
    this.next();
  }

  private follow(): void {
    this.unfollow ??= jobChanges.subscribe((job) => this.heard(job));
  }

  private heard(job: Job): void {
    const upload = this.all.find((item) => item.jobId === job.id);
    if (!upload) return;
    const { progress, error } = job;
    const ended = ENDS[job.status];
    this.change(upload.id, {
      state: ended,
      progress: progress?.total ? progress.done / progress.total : null,
      problem: error ? new Problem(422, error.code, error.message) : null,
      documentId: job.document_id,
    });
    if (job.status === 'done' || job.status === 'failed') {
      void queryClient.invalidateQueries({ queryKey: documentsKey });
      void queryClient.invalidateQueries(collectionsQuery);
    }
    if (this.all.every(isEnded)) {
      this.unfollow?.();
      this.unfollow = null;
    }
  }

  private change(id: number, change: Partial<Upload>): void {
    this.put(this.all.map((item) => (item.id === id ? { ...item, ...change } : item)));
  }

  private put(all: readonly Upload[]): void {
    this.all = all;
    for (const listener of this.listeners) listener();
  }
}

export function isEnded(upload: Upload): boolean {
  return upload.state === 'done' || upload.state === 'failed' || upload.state === 'cancelled';
}

export const uploads = new Uploads();
