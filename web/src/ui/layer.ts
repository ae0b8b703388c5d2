import { createContext, useContext } from 'react';

/** The dialog that something stands in, if any: what floats above it must be part of it, since all else is behind it and inert. */
export const LayerContext = createContext<HTMLElement | null>(null);

export function useLayer(): HTMLElement | null {
  return useContext(LayerContext);
}
