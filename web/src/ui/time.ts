import { serverNow } from '@/api/clock';
import { relativeTime } from '@/i18n/formats';

const STEPS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['week', 604_800],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
];

/** "3 hours ago", by the server's clock; what lies in the future by that clock is now. */
export function formatTimeAgo(language: string, moment: string, now = serverNow()): string {
  const seconds = Math.max(0, (now - Date.parse(moment)) / 1000);
  const format = relativeTime(language);
  for (const [unit, length] of STEPS) {
    if (seconds >= length) return format.format(-Math.floor(seconds / length), unit);
  }
  return format.format(0, 'second');
}

export type Age = 'today' | 'yesterday' | 'week' | 'month' | 'older';

/** Which heading of the list of conversations a moment belongs below. */
export function ageOf(moment: string, now = serverNow()): Age {
  const midnight = new Date(now).setHours(0, 0, 0, 0);
  const at = Date.parse(moment);
  if (at >= midnight) return 'today';
  if (at >= midnight - 86_400_000) return 'yesterday';
  if (at >= midnight - 7 * 86_400_000) return 'week';
  return at >= midnight - 30 * 86_400_000 ? 'month' : 'older';
}

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const;

/** "3.4 MB" */
export function formatSize(language: string, size: number): string {
  const step = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(size, 1)) / 10));
  const format = {
    style: 'unit',
    unit: UNITS[step] ?? 'byte',
    unitDisplay: step ? 'short' : 'long',
    maximumFractionDigits: 1,
  } as const;
  return new Intl.NumberFormat(language, format).format(size / 1024 ** step);
}
