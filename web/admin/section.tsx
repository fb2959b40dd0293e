import { type Signal, useSignal } from "@preact/signals";
import type { ComponentChildren, RefObject } from "preact";
import { useEffect } from "preact/hooks";
import { Problem } from "../shared/problem.tsx";
import { texts } from "../texts-admin.ts";

interface Loaded<Data> {
  readonly data: Signal<Data | undefined>;
  readonly error: Signal<unknown>;
  readonly load: () => Promise<void>;
}

/**
 * What a section shows: read when it opens, and again after each change.
 * @param root of a section that is read once it is on the screen
 */
export function useLoaded<Data>(read: () => Promise<Data>, root?: RefObject<HTMLElement | null>): Loaded<Data> {
  const data = useSignal<Data | undefined>(undefined);
  const error = useSignal<unknown>(undefined);
  const load = async () => {
    try {
      data.value = await read();
      error.value = undefined;
    } catch (cause) {
      error.value = cause;
    }
  };
  useEffect(() => {
    const element = root?.current;
    if (element == null) {
      void load();
      return undefined;
    }
    const observer = new IntersectionObserver((entries) => {
      if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
      observer.disconnect();
      void load();
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return { data, error, load };
}

interface Props {
  readonly title: string;
  readonly loaded: Loaded<unknown>;
  readonly root?: RefObject<HTMLElement | null> | null;
  readonly action?: ComponentChildren;
  readonly children: ComponentChildren;
}

export const Section = ({ title, loaded, root = null, action, children }: Props) => (
  <section ref={root} class="section" aria-label={title}>
    <header class="page-head">
      <h2>{title}</h2>
      {action}
    </header>
    {loaded.error.value !== undefined && <Problem error={loaded.error.value} onRetry={() => void loaded.load()} />}
    {loaded.data.value === undefined && loaded.error.value === undefined && <p class="muted">{texts.loading}</p>}
    {children}
  </section>
);

/** Numbers with what they count. */
export const Figures = ({ figures }: { readonly figures: readonly (readonly [term: string, value: string])[] }) => (
  <dl class="totals numbers">
    {figures.map(([term, value]) => (
      <div key={term}>
        <dt>{term}</dt>
        <dd>{value}</dd>
      </div>
    ))}
  </dl>
);
