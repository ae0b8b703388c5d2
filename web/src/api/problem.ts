/** What went wrong with a request, as the server tells it (RFC 9457), or because it could not be reached. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    readonly requestId: string | null = null,
    /** Seconds after which the server wants to be asked again. */
    readonly retryAfter: number | null = null,
  ) {
    super(detail || code);
    this.name = 'Problem';
  }

  /** Whether asking again later may help. */
  get temporary(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

export const UNREACHABLE = 0;

/** The problem of a response that is no success. */
export async function problemOf(response: Response): Promise<Problem> {
  return problemFrom(response, await response.text().catch(() => ''));
}

export function problemFrom(response: Pick<Response, 'status' | 'headers'>, body: string): Problem {
  const seconds = Number.parseInt(response.headers.get('retry-after') ?? '', 10);
  const told = parsed(body);
  return new Problem(
    response.status,
    text(told, 'code') ?? `http_${response.status}`,
    text(told, 'detail') ?? '',
    text(told, 'request_id') ?? response.headers.get('x-request-id'),
    Number.isNaN(seconds) ? null : seconds,
  );
}

/** Whatever was thrown, as a problem. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem(UNREACHABLE, 'unreachable', '');
}

function parsed(body: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function text(values: Record<string, unknown>, key: string): string | undefined {
  const value = values[key];
  return typeof value === 'string' ? value : undefined;
}
