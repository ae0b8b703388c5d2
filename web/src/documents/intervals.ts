import type { Key } from '@/i18n/en';

/** How often a source can be synced, in seconds. */
export const INTERVALS = [
  { name: 'quarter', seconds: 900 },
  { name: 'hour', seconds: 3600 },
  { name: 'day', seconds: 86_400 },
  { name: 'week', seconds: 604_800 },
] as const;

export function intervalKey(interval: (typeof INTERVALS)[number]): Key {
  return `every.${interval.name}`;
}
