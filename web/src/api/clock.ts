let ahead = 0;

/** Learns from a response how far the server's clock is ahead of this one, in milliseconds. */
export function learnClock(response: Pick<Response, 'headers'>, now = Date.now()): void {
  const told = Date.parse(response.headers.get('date') ?? '');
  // The header counts whole seconds and travels a while: what is less than that is no difference.
  if (!Number.isNaN(told)) ahead = Math.abs(told - now) > 2500 ? told - now : 0;
}

/** The time by the server's clock, which its times are told by. */
export function serverNow(now = Date.now()): number {
  return now + ahead;
}
