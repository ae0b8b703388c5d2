import { createContext, useContext } from 'react';

/**
 * The part of the page that something stands in: what floats above it is put there. Above a dialog, all else is behind it and inert; and
 * what stands in no landmark is hard to find for a screen reader.
 */
export const LayerContext = createContext<HTMLElement | null>(null);

export function useLayer(): HTMLElement | null {
  return useContext(LayerContext);
}
