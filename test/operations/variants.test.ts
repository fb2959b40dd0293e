import { beforeEach, describe, expect, test } from "bun:test";
import { DEFAULT_PRESETS, parsePresets } from "../../src/config/presets.ts";
import { type ErrorCode, imageNotFound, StoreError } from "../../src/domain/errors.ts";
import { CONTENT_TYPES, type StoredContent } from "../../src/domain/image.ts";
import type { Picture, VariantFormat } from "../../src/domain/variant.ts";
import { parseVariant } from "../../src/domain/variant-query.ts";
import { createSingleFlight } from "../../src/operations/single-flight.ts";
import { createVariantReader } from "../../src/operations/variant-reader.ts";
import { getVariant, type VariantPorts, type VariantWish } from "../../src/operations/variants.ts";
import type { BlobContent, Refusal, Variant } from "../../src/ports.ts";

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
  focalPoint: null,
});

/** A catalog of one image, a renderer that draws nothing, and a cache in memory. */
function newStore() {
  const kept = new Map<string, Variant | Refusal>();
  const store = {
    present: { image: image("aa"), location: "here" } as StoredContent | undefined,
    rendered: [] as Picture[],
    calls: [] as string[],
    /** What happens while it renders. */
    meanwhile: async (_signal: AbortSignal): Promise<void> => {},
    kept,
    ports: {} as VariantPorts,
    find: async (): Promise<StoredContent> => {
      store.calls.push("record");
      if (store.present === undefined) throw imageNotFound();
      return store.present;
    },
    get: (query: string, wish: Partial<VariantWish> = {}) => getVariant(store.ports, store.find, wishFor(query, wish)),
  };
  store.ports = {
    catalog: { contentById: async () => store.present },
    blobs: {
      lend: (location, _size, work) => {
        if (location === "gone") throw new StoreError("blob_damaged", "It is not there.");
        return work({ path: location });
      },
    },
    renderer: {
      version: "7",
      async render(_source, picture, _target, signal) {
        store.rendered.push(picture);
        await store.meanwhile(signal);
        signal.throwIfAborted();
        const format = picture.kind === "resized" ? picture.format : "jpeg";
        return { contentType: CONTENT_TYPES[format], size: 3, sha256: "cc" };
      },
    },
    variantCache: {
      find(key) {
        store.calls.push("cache");
        return kept.get(key);
      },
      async store(key, _owner, make) {
        const variant: Variant = {
          ...(await make("path")),
          read: async (): Promise<BlobContent> => new Uint8Array(3),
          [Symbol.asyncDispose]: async () => {},
        };
        kept.set(key, variant);
        return variant;
      },
      refuse: (key, _owner, refusal) => void kept.set(key, refusal),
      async purge(imageId, exceptSha256) {
        store.calls.push(`purge ${imageId} ${exceptSha256}`);
        for (const key of kept.keys()) if (!key.startsWith(exceptSha256 ?? " ")) kept.delete(key);
      },
    },
    variantFlights: createSingleFlight<Variant>(),
    variantReader: createVariantReader(presets, "7"),
    presets,
  };
  return store;
}

function wishFor(query: string, wish: Partial<VariantWish>): VariantWish {
  const parsed = parseVariant(Object.fromEntries(new URLSearchParams(query)), presets);
  if (parsed.spec === undefined) throw new Error("That is the original.");
  const signal = new AbortController().signal;
  return { ...parsed, spec: parsed.spec, mayTransform: false, accepted: [], signal, ...wish };
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

const formatOf = (picture: Picture): VariantFormat | undefined =>
  picture.kind === "resized" ? picture.format : undefined;

let store: ReturnType<typeof newStore>;
beforeEach(() => {
  store = newStore();
});

describe("a variant", () => {
  test("is made once, and found from then on", async () => {
    const [one, other] = await Promise.all([store.get("w=320"), store.get("w=160&dpr=2")]);
    await store.get("w=320&format=jpeg");
    expect(one.variant).toBe(other.variant);
    expect(store.rendered).toHaveLength(1);
  });

  test("is asked of the cache only after the record was read and the spec allowed", async () => {
    await store.get("w=320");
    expect(store.calls.slice(0, 2)).toEqual(["record", "cache"]);
    store.calls.length = 0;
    expect(await codeOf(store.get("w=321"))).toBe("variant_not_allowed");
    store.present = undefined;
    expect(await codeOf(store.get("w=320"))).toBe("image_not_found");
    expect(store.calls).toEqual(["record", "record"]);
  });

  test("beyond presets and ladder is for those who may transform; others are told what they may", async () => {
    const refused = await store.get("w=321").catch((error: StoreError) => error.members.allowed);
    expect(refused).toEqual({
      presets: ["thumb", "small", "medium", "large"],
      widths: [160, 240, 320, 480, 640, 960, 1280, 1920, 2560, 3840],
      formats: ["jpeg", "png", "webp", "avif", "auto"],
    });
    await store.get("w=321", { mayTransform: true });
    expect(store.rendered).toHaveLength(1);
  });

  test("is of this version of the renderer only", async () => {
    expect(await codeOf(store.get("w=320&v=6"))).toBe("image_not_found");
    await store.get("w=320&v=7");
    expect([...store.kept.keys()].join()).toContain("/7/");
  });

  test("that cannot be made is not tried again, unless a child died, which says nothing", async () => {
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

  test("of an image that was deleted while it was rendered is gone too", async () => {
    store.meanwhile = async () => void (store.present = undefined);
    expect(await codeOf(store.get("w=320"))).toBe("image_not_found");
    expect(store.calls).toContain("purge 1 undefined");
    expect(store.kept.size).toBe(0);
  });

  test("of an image that was replaced while it was rendered is made of the new bytes", async () => {
    store.meanwhile = async () => {
      store.present = { image: image("bb"), location: "there" };
      store.meanwhile = async () => {};
    };
    const found = await store.get("w=320");
    expect(found.image.sha256).toBe("bb");
    expect(store.calls).toContain("purge 1 bb");
    expect([...store.kept.keys()].map((key) => key.slice(0, 2))).toEqual(["bb"]);
  });

  test("is made from where the bytes are now", async () => {
    const moved: StoredContent = { image: image("aa"), location: "moved" };
    store.present = { ...moved, location: "gone" };
    let reads = 0;
    const find = async () => (++reads === 1 ? { ...moved, location: "gone" } : moved);
    await getVariant(store.ports, find, wishFor("w=320", {}));
    expect(await codeOf(store.get("w=640"))).toBe("blob_damaged");
  });

  test("is made on for the others when one who waits for it leaves, and no longer when all have", async () => {
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

describe("format=auto", () => {
  const all = { accepted: ["avif", "webp", "jpeg", "png"] } as const;

  test("is AVIF for presets", async () => {
    await store.get("preset=small&format=auto", all);
    expect(store.rendered.map(formatOf)).toEqual(["avif"]);
  });

  test("is AVIF for others once somebody asked for it by name", async () => {
    expect((await store.get("w=320&format=auto", all)).variant.contentType).toBe("image/webp");
    await store.get("w=320&format=avif", all);
    expect((await store.get("w=320&format=auto", all)).variant.contentType).toBe("image/avif");
    expect(store.rendered.map(formatOf)).toEqual(["webp", "avif"]);
  });

  test("is something else where AVIF was tried in vain", async () => {
    store.meanwhile = fail("time");
    expect(await codeOf(store.get("w=320&format=avif"))).toBe("invalid_image");
    store.meanwhile = async () => {};
    expect((await store.get("w=320&format=auto", all)).variant.contentType).toBe("image/webp");
  });
});
