/** The path that the server is reached under, without a slash at its end: '' or for example '/anchorage'. */
export const basePath = new URL(document.baseURI).pathname.replace(/\/$/, '');

/** The address of a call of the API. */
export function apiUrl(path: string): string {
  return basePath + path;
}
