import createClient from 'openapi-fetch';
import { basePath } from '@/config';
import { learnClock } from './clock';
import { asProblem, problemOf } from './problem';
import type { paths } from './schema';

/** fetch, with every failure as a `Problem`. */
export async function request(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const response = await fetch(input, init).catch((error: unknown) => {
    throw error instanceof DOMException && error.name === 'AbortError' ? error : asProblem(error);
  });
  learnClock(response);
  if (!response.ok) throw await problemOf(response);
  return response;
}

const client = createClient<paths>({ baseUrl: location.origin + basePath, fetch: (asked) => request(asked) });

export const { GET, POST, PATCH, DELETE } = client;

/** The body of a call that answers with one. */
export async function body<T>(call: Promise<{ data?: T }>): Promise<T> {
  return (await call).data as T;
}
