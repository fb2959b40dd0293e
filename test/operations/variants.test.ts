import { beforeEach, describe, expect, test } from "bun:test";
import { createSingleFlight } from "../../src/concurrency/single-flight.ts";
import { DEFAULT_PRESETS, parsePresets } from "../../src/config/presets.ts";
import type { Right } from "../../src/domain/access.ts";
import { type Caller, LOCAL } from "../../src/domain/caller.ts";
import { type ErrorCode, StoreError } from "../../src/domain/errors.ts";
import { CONTENT_TYPES, type VariantFormat } from "../../src/domain/formats.ts";
import type { StoredContent } from "../../src/domain/image.ts";
import type { RenderPlan } from "../../src/domain/variant.ts";
import { parseVariantQuery } from "../../src/domain/variant-query.ts";
import { createVariantResolver } from "../../src/operations/variant-resolver.ts";
import { type GetVariantOptions, getVariant, type VariantDeps } from "../../src/operations/variants.ts";
import type { BlobContent, Catalog, Refusal, Rendered, Variant } from "../../src/ports.ts";
import { until } from "../waiting.ts";

const presets = parsePresets(DEFAULT_PRESETS);
const image = (sha256: string): StoredContent["image"] => ({
  id: "1",
  name: "a.jpg",
  contentType: "image/jpeg",
  width: 4000,
  height: 3000,
  frames: 1,
  hasAlpha: false,
  orientation: 1,
  size: 10,
  sha256,
  albumId: "album",
  focalPoint: null,
});

const read = async (): Promise<BlobContent> => new Uint8Array(3);

/** A catalog of one image, a renderer that draws nothing, and a cache in memory. */
function newStore() {
  const kept = new Map<string, Variant | Refusal>();
  const store = {
    present: { image: image("aa"), modifiedAt: 0, location: "here" } as StoredContent | undefined,
    rendered: [] as RenderPlan[],
    calls: [] as string[],
    /** What happens while it renders. */
    meanwhile: async (_signal: AbortSignal): Promise<void> => {},
    kept,
    ports: {} as VariantDeps,
    find: async (): Promise<StoredContent | undefined> => {
      store.calls.push("record");
      return store.present;
    },
    /** After the render. */
    findAgain: async (): Promise<StoredContent | undefined> => store.present,
    /** Blobs, drafts and variants that were opened and not disposed of. */
    open: 0,
    get: (query: string, options: Options = {}) => getVariant(store.ports, optionsFor(query, options)),
  };
  const opened = <Resource>(resource: Resource): Resource & AsyncDisposable => {
    store.open++;
    return { ...resource, [Symbol.asyncDispose]: async () => void store.open-- };
  };
  store.ports = {
    catalog: {
      content: () => store.find(),
      album: async () => ({ id: "1", name: "a" }),
      contentById: () => store.findAgain(),
    } as unknown as Catalog,
    blobs: {
      async openLocal(location) {
        if (location === "gone") throw new StoreError("blob_damaged", "It is not there.");
        return opened({ source: { path: location } });
      },
    },
    renderer: {
      version: "7",
      async render(_source, plan, _target, signal) {
        store.rendered.push(plan);
        await store.meanwhile(signal);
        signal.throwIfAborted();
        const format = plan.kind === "resized" ? plan.format : "jpeg";
        return { contentType: CONTENT_TYPES[format], size: 3, sha256: "cc" };
      },
    },
    variantCache: {
      find(key) {
        store.calls.push("cache");
        return kept.get(key);
      },
      async begin(key) {
        const keep = async (rendered: Rendered): Promise<Variant> => {
          const variant = opened({ ...rendered, read });
          kept.set(key, variant);
          return variant;
        };
        return opened({ path: "path", keep });
      },
      refuse: (key, _owner, refusal) => void kept.set(key, refusal),
      async purge(imageId, exceptSha256) {
        store.calls.push(`purge ${imageId} ${exceptSha256}`);
        for (const key of kept.keys()) if (!key.startsWith(exceptSha256 ?? " ")) kept.delete(key);
      },
    },
    variantFlights: createSingleFlight<Variant>(),
    variantResolver: createVariantResolver(presets, "7"),
    presets,
  };
  return store;
}

const READER: Caller = { ...LOCAL, kind: "key", grants: [{ rights: new Set<Right>(["read"]), albums: "*" }] };

type Options = Partial<GetVariantOptions> & { readonly caller?: Caller };

function optionsFor(query: string, { caller = READER, ...options }: Options): GetVariantOptions {
  const parsed = parseVariantQuery(Object.fromEntries(new URLSearchParams(query)), presets);
  if (parsed.spec === undefined) throw new Error("That is the original.");
  const signal = new AbortController().signal;
  return {
    ...parsed,
    spec: parsed.spec,
    of: { caller, album: "a", name: "a.jpg", need: "read" },
    accepted: [],
    signal,
    ...options,
  };
}

const codeOf = async (promise: Promise<unknown>): Promise<ErrorCode | undefined> => {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error !== undefined && !(error instanceof StoreError)) throw error;
  return error?.code;
};

const fail = (reason: string) => async () => {
  throw new StoreError("invalid_image", "It is broken.", { members: { reason } });
};

const formatOf = (plan: RenderPlan): VariantFormat | undefined => (plan.kind === "resized" ? plan.format : undefined);

let store: ReturnType<typeof newStore>;
beforeEach(() => {
  store = newStore();
});

describe("a variant", () => {
  test("is rendered once and found afterwards", async () => {
    const [one, other] = await Promise.all([store.get("w=320"), store.get("w=160&dpr=2")]);
    await store.get("w=320&format=jpeg");
    expect(one.variant).toBe(other.variant);
    expect(store.rendered).toHaveLength(1);
  });

  test("is looked up only after its record was read and its spec authorised", async () => {
    await store.get("w=320");
    expect(store.calls.slice(0, 2)).toEqual(["record", "cache"]);
    store.calls.length = 0;
    expect(await codeOf(store.get("w=321"))).toBe("variant_not_allowed");
    store.present = undefined;
    expect(await codeOf(store.get("w=320"))).toBe("image_not_found");
    expect(store.calls).toEqual(["record", "record"]);
  });

  test("outside of presets and ladder requires the right to transform, and the refusal lists the alternatives", async () => {
    const refused = await store.get("w=321").catch((error: StoreError) => error.members.allowed);
    expect(refused).toEqual({
      presets: ["thumb", "small", "medium", "large"],
      widths: [160, 240, 320, 480, 640, 960, 1280, 1920, 2560, 3840],
      formats: ["jpeg", "png", "webp", "avif", "auto"],
    });
    await store.get("w=321", { caller: LOCAL });
    expect(store.rendered).toHaveLength(1);
  });

  test("is keyed by the renderer's version", async () => {
    expect(await codeOf(store.get("w=320&v=6"))).toBe("image_not_found");
    await store.get("w=320&v=7");
    expect([...store.kept.keys()].join()).toContain("/7/");
  });

  test("that cannot be rendered is not tried again, unless a child died", async () => {
    store.meanwhile = fail("crash");
    expect(await codeOf(store.get("w=320"))).toBe("invalid_image");
    store.meanwhile = fail("undecodable");
    expect(await codeOf(store.get("w=320"))).toBe("invalid_image");
    expect(await codeOf(store.get("w=320"))).toBe("invalid_image");
    expect(store.rendered).toHaveLength(2);
    store.meanwhile = async () => {
      throw new StoreError("busy", "Too much waits.");
    };
    expect(await codeOf(store.get("w=640"))).toBe("busy");
    store.meanwhile = async () => {};
    await store.get("w=640");
  });

  test("of an image deleted during the render is not found", async () => {
    store.meanwhile = async () => void (store.present = undefined);
    expect(await codeOf(store.get("w=320"))).toBe("image_not_found");
    expect(store.calls).toContain("purge 1 undefined");
    expect(store.kept.size).toBe(0);
  });

  test("of an image replaced during the render is rendered from the new bytes", async () => {
    store.meanwhile = async () => {
      store.present = { image: image("bb"), modifiedAt: 1, location: "there", isPublic: false };
      store.meanwhile = async () => {};
    };
    const found = await store.get("w=320");
    expect(found.image.sha256).toBe("bb");
    expect(store.calls).toContain("purge 1 bb");
    expect([...store.kept.keys()].map((key) => key.slice(0, 2))).toEqual(["bb"]);
  });

  test("is rendered from the present location of its blob", async () => {
    const moved: StoredContent = { image: image("aa"), modifiedAt: 0, location: "moved", isPublic: false };
    store.present = { ...moved, location: "gone" };
    let reads = 0;
    const { find } = store;
    store.find = async () => (++reads === 1 ? { ...moved, location: "gone" } : moved);
    await store.get("w=320");
    store.find = find;
    expect(await codeOf(store.get("w=640"))).toBe("blob_damaged");
  });

  test("is still rendered when one of its clients leaves, and cancelled when all have left", async () => {
    const rendering = Promise.withResolvers<AbortSignal>();
    const finish = Promise.withResolvers<void>();
    store.meanwhile = async (signal) => {
      rendering.resolve(signal);
      await finish.promise;
    };
    const leaving = new AbortController();
    const left = store.get("w=320", { signal: leaving.signal });
    const signal = await rendering.promise;
    const stays = store.get("w=320");
    await Bun.sleep(0);
    leaving.abort(new Error("gone"));
    expect(await left.catch((error: Error) => error.message)).toBe("gone");
    expect(signal.aborted).toBe(false);
    finish.resolve();
    await stays;
    expect(store.rendered).toHaveLength(1);
  });
});

describe("a variant that failed or was abandoned leaves nothing open", () => {
  const failure = new StoreError("unavailable", "It is away.");
  const failing = () => Promise.reject(failure);
  const disturbances: Record<string, (leaving: AbortController) => void> = {
    "when the original cannot be opened": () => {
      store.ports.blobs.openLocal = failing;
    },
    "when the cache takes no draft": () => {
      store.ports.variantCache.begin = failing;
    },
    "when the render fails": () => {
      store.meanwhile = failing;
    },
    "when the record cannot be read after the render": () => {
      store.findAgain = failing;
    },
    "when its image was deleted and the purge fails": () => {
      store.findAgain = async () => undefined;
      store.ports.variantCache.purge = failing;
    },
    "when its client leaves during the render": (leaving) => {
      store.meanwhile = async () => leaving.abort(failure);
    },
    "when its client leaves after the render": (leaving) => {
      store.findAgain = async () => {
        leaving.abort(failure);
        return store.present;
      };
    },
  };
  for (const [name, disturb] of Object.entries(disturbances))
    test(name, async () => {
      const leaving = new AbortController();
      disturb(leaving);
      expect(await codeOf(store.get("w=320", { signal: leaving.signal }))).toBe("unavailable");
      await until(() => store.open === 0);
    });

  test("and one that its client has read", async () => {
    await (await store.get("w=320"))[Symbol.asyncDispose]();
    expect(store.open).toBe(0);
  });
});

describe("format=auto", () => {
  const all = { accepted: ["avif", "webp", "jpeg", "png"] } as const;

  test("is AVIF for presets", async () => {
    await store.get("preset=small&format=auto", all);
    expect(store.rendered.map(formatOf)).toEqual(["avif"]);
  });

  test("is AVIF for other variants once a client requested AVIF by name", async () => {
    expect((await store.get("w=320&format=auto", all)).variant.contentType).toBe("image/webp");
    await store.get("w=320&format=avif", all);
    expect((await store.get("w=320&format=auto", all)).variant.contentType).toBe("image/avif");
    expect(store.rendered.map(formatOf)).toEqual(["webp", "avif"]);
  });

  test("is another format when AVIF failed", async () => {
    store.meanwhile = fail("time");
    expect(await codeOf(store.get("w=320&format=avif"))).toBe("invalid_image");
    store.meanwhile = async () => {};
    expect((await store.get("w=320&format=auto", all)).variant.contentType).toBe("image/webp");
  });
});
