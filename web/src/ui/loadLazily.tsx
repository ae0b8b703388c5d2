import { type ComponentType, createElement, lazy, useState } from 'react';

/**
 * A component that is loaded when it is first drawn, or before that by `load`. What is there already is drawn at once, where React's `lazy`
 * shows what stands in its place first.
 */
export function loadLazily<Props extends object>(component: () => Promise<ComponentType<Props>>) {
  let found: ComponentType<Props> | null = null;
  const load = async () => {
    found = await component();
    return { default: found };
  };
  const later = lazy(load);
  function Lazily(props: Props) {
    const [drawn] = useState<ComponentType<Props>>(() => found ?? later);
    return createElement(drawn, props);
  }
  return Object.assign(Lazily, { load });
}
