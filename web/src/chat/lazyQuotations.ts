import { loadLazily } from '@/ui/loadLazily';

/** Shows what was quoted, where no model writes answers. */
export const Quotations = loadLazily(async () => (await import('./Quotations')).Quotations);
