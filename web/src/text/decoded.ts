/** A part of an address as people read it; as it stands where it is no valid one. */
export function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
