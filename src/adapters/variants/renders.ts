import type { Variant, VariantOwner } from "../../ports.ts";

/** A render in progress. */
export interface Render {
  readonly owner: VariantOwner;
  /** Set when its image is purged meanwhile: its result must not be kept. */
  isForgotten: boolean;
}

export interface Renders {
  begin(owner: VariantOwner): Render;
  /** Call it for each render that began. */
  end(render: Render): void;
  forget(isStale: (owner: VariantOwner) => boolean): void;
}

export function createRenders(): Renders {
  const running = new Set<Render>();
  return {
    begin(owner) {
      const render = { owner, isForgotten: false };
      running.add(render);
      return render;
    },
    end: (render) => void running.delete(render),
    forget(isStale) {
      for (const render of running) if (isStale(render.owner)) render.isForgotten = true;
    },
  };
}

/** Variants found a moment ago, by key: finding them again takes no look at the index. */
export interface RecentVariants {
  get(key: string): Variant | undefined;
  add(key: string, variant: Variant): Variant;
  clear(): void;
}

const MOST_RECENT = 4096;

/** Each is remembered for `resolution` milliseconds. The cache clears all when an entry leaves the index. */
export function createRecentVariants(resolution: number): RecentVariants {
  const byKey = new Map<string, { readonly variant: Variant; readonly foundAt: number }>();
  return {
    get(key) {
      const known = byKey.get(key);
      return known !== undefined && Date.now() - known.foundAt < resolution ? known.variant : undefined;
    },
    add(key, variant) {
      if (byKey.size === MOST_RECENT) byKey.clear();
      byKey.set(key, { variant, foundAt: Date.now() });
      return variant;
    },
    clear: () => byKey.clear(),
  };
}
