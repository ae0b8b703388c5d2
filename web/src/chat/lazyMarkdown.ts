import { lazily } from '@/ui/lazily';

/** Lays an answer out. */
export const Markdown = lazily(async () => (await import('./markdown/Markdown')).default);
