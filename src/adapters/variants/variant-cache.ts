import { join, resolve } from "node:path";
import type { Refusal, Variant, VariantCache } from "../../ports.ts";
import type { CacheObserver } from "../disk-cache/cache-index.ts";
import { newGeneration } from "../disk-cache/cached-files.ts";
import { type DiskCache, openDiskCache } from "../disk-cache/disk-cache.ts";
import { translateFileError } from "../files/file-system.ts";
import { createRecentVariants, createRenders, type Render } from "./renders.ts";
import { createUnkeptVariants, readable } from "./unkept-variants.ts";
import { type IndexedVariant, type NewVariant, type VariantIndex, variantIndexAt } from "./variant-index.ts";

export interface VariantCacheOptions {
  /** Used by no other process. */
  readonly folder: string;
  /** The budget; 0: no file is kept. */
  readonly maxBytes: number;
  /** Below this much free space no more files are kept; undefined: 1 % of the file system, at least 256 MiB. */
  readonly minFree: number | undefined;
  /** Memory for variants that are read often, in bytes; default: none. */
  readonly memoryBytes?: number;
  readonly observer?: CacheObserver;
  /** Milliseconds in which uses of a variant count as one. Default: a minute. */
  readonly useResolution?: number;
}

const ignoring: CacheObserver = { found() {}, evicted() {}, holds() {} };
const VERIFIED = Promise.resolve();

/**
 * Variants in a folder of this node: `tmp/` while they are rendered, then a file each in `files/`, and an index in SQLite.
 * Nothing is synced and nothing is trusted: the start removes files without an entry and entries without a file, and with
 * an index that cannot be read it removes all files.
 * @throws Error when another process has the folder, or it cannot be created
 */
export async function openVariantCache(options: VariantCacheOptions): Promise<VariantCache> {
  const { maxBytes, minFree, memoryBytes = 0, observer = ignoring, useResolution = 60_000 } = options;
  const folder = resolve(options.folder);
  const renders = createRenders();
  const recent = createRecentVariants(useResolution);
  const cache = await openDiskCache<NewVariant, VariantIndex>({
    of: "variants",
    folder,
    minFree,
    memoryBytes,
    largestBytes: maxBytes,
    index: variantIndexAt(join(folder, "index.sqlite"), { maxBytes, useResolution }),
    observer,
    onRemoved: () => recent.clear(),
    onStartOver: () => renders.forget(() => true),
  });
  const { index, files } = cache;
  const unkept = createUnkeptVariants(files);

  function find(key: string): Variant | Refusal | undefined {
    const known = recent.get(key);
    if (known !== undefined) return known;
    const name = nameOf(key);
    const found = index.attempt((current) => current.find(name));
    if (found !== undefined) return recent.add(key, keptVariant(cache, found));
    const message = index.attempt((current) => current.refusal(name));
    return message === undefined ? undefined : { code: "invalid_image", message };
  }

  async function keep(path: string, variant: NewVariant, render: Render): Promise<Variant> {
    if (!(await cache.hasRoom(variant.size))) return unkept.add(path, variant);
    const kept = await cache.keep(path, variant, () => !render.isForgotten);
    return kept.isKept ? keptVariant(cache, variant) : unkept.add(kept.path, variant);
  }

  return {
    find(key) {
      const found = find(key);
      observer.found(found !== undefined);
      return found;
    },

    async begin(key, owner) {
      const path = await newTemporaryPath(cache);
      const render = renders.begin(owner);
      let isKept = false;
      return {
        path,
        async keep(rendered) {
          const file = { name: nameOf(key), generation: newGeneration(), verified: VERIFIED };
          const variant = await keep(path, { ...file, ...rendered, owner }, render);
          isKept = true;
          return variant;
        },
        async [Symbol.asyncDispose]() {
          renders.end(render);
          if (!isKept) await files.remove([path]).catch(() => {});
        },
      };
    },

    refuse(key, owner, { message }) {
      index.attempt((current) => current.refuse(nameOf(key), owner, message));
    },

    purge: (imageId, exceptSha256) =>
      cache.change(async () => {
        renders.forget((owner) => owner.imageId === imageId && owner.sha256 !== exceptSha256);
        try {
          await cache.remove(index.current.filesOfImage(imageId, exceptSha256));
        } finally {
          index.attempt((current) => current.removeRefusals(imageId, exceptSha256));
        }
      }),

    clear: () => cache.change(() => index.startOver()),

    position: () => index.attempt((current) => current.position()),
    setPosition: (position) => index.current.setPosition(position),

    async [Symbol.asyncDispose]() {
      renders.forget(() => true);
      recent.clear();
      await unkept[Symbol.asyncDispose]();
      cache[Symbol.dispose]();
    },
  };
}

const keptVariant = (cache: DiskCache<NewVariant, VariantIndex>, entry: IndexedVariant): Variant => ({
  ...readable(entry, (range) => cache.read(entry, range)),
  async [Symbol.asyncDispose]() {},
});

async function newTemporaryPath({ files }: DiskCache<NewVariant, VariantIndex>): Promise<string> {
  try {
    return await files.newTemporaryPath();
  } catch (error) {
    throw translateFileError(error);
  }
}

const nameOf = (key: string): string => new Bun.CryptoHasher("sha256").update(key).digest("hex");
