import { documentsKey, failedJobs, queryClient, retryJob } from '@/api/queries';
import type { Document } from '@/api/types';
import { jobChanges } from './jobs';

/** Has the server read a failed document again; false where it does not know any more what to read. The list is read anew when it has ended. */
export async function readAgain({ uri, collection }: Document): Promise<boolean> {
  const job = (await failedJobs()).find((item) => item.uri === uri && item.collection === collection);
  if (!job) return false;
  const unfollow = jobChanges.subscribe((change) => {
    if (change.id !== job.id || change.status === 'queued' || change.status === 'running') return;
    // What failed before is told once when one begins to listen; nothing is lost by looking again.
    void queryClient.invalidateQueries({ queryKey: documentsKey });
    if (change.finished_at !== job.finished_at) unfollow();
  });
  await retryJob(job.id).catch((error: unknown) => {
    unfollow();
    throw error;
  });
  return true;
}
