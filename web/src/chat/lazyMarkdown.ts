import { loadLazily } from '@/ui/loadLazily';

/** Lays an answer out. */
export const Markdown = loadLazily(async () => (await import('./markdown/Markdown')).default);
