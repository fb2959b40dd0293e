import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { StoreError } from "../../domain/errors.ts";
import type { Refusal, Rendered, Variant, VariantCache, VariantOwner } from "../../ports.ts";
import { type CachedFile, type CachedFiles, newGeneration, openCachedFiles, SHARDS } from "../files/cached-files.ts";
import { translateFileError } from "../files/file-system.ts";
import { createFreeSpace } from "../files/free-space.ts";
import { isCorrupt } from "./index-database.ts";
import { createUnkeptVariants, gone } from "./unkept-variants.ts";
import {
  budgetBytes,
  type IndexedVariant,
  type NewVariant,
  openFreshVariantIndex,
  openVariantIndex,
  type VariantIndex,
} from "./variant-index.ts";

export interface VariantCacheOptions {
  /** Nobody else's. */
  readonly folder: string;
  /** The budget; 0: no file is kept. */
  readonly maxBytes: number;
  /** Below this much free space nothing more is kept; undefined: 1 % of the file system, at least 256 MiB. */
  readonly minFree: number | undefined;
  /** For what is read often; default: none. */
  readonly memoryBytes?: number;
  readonly observer?: VariantCacheObserver;
  /** Milliseconds in which uses of a variant count as one. Default: a minute. */
  readonly useResolution?: number;
}

export interface VariantCacheObserver {
  /** Whether what was looked for was there, a refusal too. */
  found(hit: boolean): void;
  evicted(variants: number): void;
  holds(totals: { bytes: number; entries: number }): void;
}

const ignoring: VariantCacheObserver = { found() {}, evicted() {}, holds() {} };
/** Found lately, so that finding them again takes no look at the index. */
const MOST_RECENT = 4096;

/**
 * Rendered pictures in a folder of this node: `tmp/` while they are made, then a file each in `files/`, and an index in
 * SQLite. Nothing is synced and nothing is believed: at the open, files without entry and entries without file go, and an
 * index that cannot be read goes with all files.
 * @throws Error when another process has the folder, or it cannot be made
 */
export async function openVariantCache(options: VariantCacheOptions): Promise<VariantCache> {
  const { maxBytes, minFree, memoryBytes = 0, observer = ignoring, useResolution = 60_000 } = options;
  const folder = resolve(options.folder);
  const indexPath = join(folder, "index.sqlite");
  const indexOptions = { maxBytes, useResolution };
  await mkdir(folder, { recursive: true, mode: 0o700 });
  let index = openVariantIndex(indexPath, indexOptions);
  const files = await openCachedFiles(folder, memoryBytes);
  const freeSpace = createFreeSpace(folder, minFree);
  /** Renders that run. What is forgotten meanwhile is not kept. */
  const running = new Set<{ readonly owner: VariantOwner; forgotten: boolean }>();
  const unkept = createUnkeptVariants(files);
  /** By key. Emptied whenever something leaves the index, which happens as seldom as a render. */
  const recent = new Map<string, { readonly variant: Variant; readonly foundAt: number }>();
  let isClosed = false;

  try {
    await tidy(index, files);
  } catch {
    await startAfresh().catch(() => {});
  }
  observer.holds(index.totals);

  /** The index is another at once; resolves when the files that the last one knew are gone. */
  async function startAfresh(): Promise<void> {
    if (isClosed) return;
    recent.clear();
    index[Symbol.dispose]();
    index = openFreshVariantIndex(indexPath, indexOptions);
    for (const render of running) render.forgotten = true;
    observer.holds(index.totals);
    await files.clear();
  }

  /** What the cache cannot do, it does without. */
  function attempt<Result>(work: () => Result): Result | undefined {
    try {
      return work();
    } catch (error) {
      startAfreshIfCorrupt(error);
      return undefined;
    }
  }

  /** Where files stay, whoever purges finds no position any more, and clears the cache. */
  function startAfreshIfCorrupt(failure: unknown): void {
    if (isCorrupt(failure)) startAfresh().catch(() => {});
  }

  /** An index that takes nothing any more, as on a full disk, would name files that are gone. */
  async function removeEntries(entries: readonly CachedFile[]): Promise<void> {
    if (entries.length > 0) recent.clear();
    try {
      index.remove(entries);
    } catch {
      await startAfresh();
    }
  }

  async function demand<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (cause) {
      startAfreshIfCorrupt(cause);
      throw new StoreError("unavailable", "The cache of variants could not be changed.", { cause });
    } finally {
      observer.holds(index.totals);
    }
  }

  function find(key: string): Variant | Refusal | undefined {
    const known = recent.get(key);
    if (known !== undefined && Date.now() - known.foundAt < useResolution) return known.variant;
    const name = nameOf(key);
    const found = attempt(() => index.find(name));
    if (found !== undefined) return remember(key, keptVariant(found));
    const message = attempt(() => index.refusal(name));
    return message === undefined ? undefined : { code: "invalid_image", message };
  }

  function remember(key: string, variant: Variant): Variant {
    if (recent.size === MOST_RECENT) recent.clear();
    recent.set(key, { variant, foundAt: Date.now() });
    return variant;
  }

  function keptVariant(file: IndexedVariant): Variant {
    const { contentType, size, sha256 } = file;
    const path = files.pathOf(file);
    /** Once for all who ask meanwhile. */
    let looked = file.isSound ? Promise.resolve() : undefined;
    return {
      contentType,
      size,
      sha256,
      async read(range) {
        try {
          await (looked ??= look());
          return await files.read(path, range === undefined ? { size } : { size, range });
        } catch (error) {
          await removeQuietly([path]);
          await removeEntries([file]).catch(() => {});
          observer.holds(index.totals);
          throw gone(error);
        }
      },
      async [Symbol.asyncDispose]() {},
    };

    async function look(): Promise<void> {
      if (!(await files.isSound(path, file))) throw new Error("It has other bytes than were stored.");
      attempt(() => index.markSound(file));
    }
  }

  async function store(key: string, owner: VariantOwner, make: (path: string) => Promise<Rendered>): Promise<Variant> {
    const render = { owner, forgotten: false };
    running.add(render);
    try {
      const path = await newTemporaryPath();
      const rendered = await make(path).catch(async (error: unknown) => {
        await removeQuietly([path]);
        throw error;
      });
      return await keep(path, { name: nameOf(key), generation: newGeneration(), ...rendered, owner }, render);
    } finally {
      running.delete(render);
    }
  }

  async function newTemporaryPath(): Promise<string> {
    try {
      return await files.newTemporaryPath();
    } catch (error) {
      throw translateFileError(error);
    }
  }

  async function keep(temporaryPath: string, variant: NewVariant, render: { forgotten: boolean }): Promise<Variant> {
    let path = temporaryPath;
    try {
      if (await hasRoom(variant.size)) {
        await files.keep(path, variant);
        path = files.pathOf(variant);
        // From here on without a wait, so that no purge comes between.
        if (!render.forgotten) return enter(variant);
      }
    } catch (error) {
      startAfreshIfCorrupt(error);
    }
    return unkept.add(path, variant);
  }

  async function hasRoom(size: number): Promise<boolean> {
    if (budgetBytes(size) > maxBytes) return false;
    return freeSpace.take(size).then(
      () => true,
      () => false,
    );
  }

  function enter(variant: NewVariant): Promise<Variant> {
    const { replaced, evicted } = index.put(variant);
    const left = [...replaced, ...evicted];
    if (left.length > 0) recent.clear();
    observer.evicted(evicted.length);
    observer.holds(index.totals);
    const kept = keptVariant({ ...variant, isSound: true });
    return removeQuietly(left.map(files.pathOf)).then(() => kept);
  }

  /** What cannot be removed now goes with the next removal, or at the next start. */
  const removeQuietly = (paths: readonly string[]) => files.remove(paths).catch(() => {});

  return {
    find(key) {
      const found = find(key);
      observer.found(found !== undefined);
      return found;
    },

    store,

    refuse(key, owner, { message }) {
      attempt(() => index.refuse(nameOf(key), owner, message));
    },

    purge: (imageId, exceptSha256) =>
      demand(async () => {
        for (const render of running)
          if (render.owner.imageId === imageId && render.owner.sha256 !== exceptSha256) render.forgotten = true;
        const purged = index.filesOfImage(imageId, exceptSha256);
        try {
          await files.remove(purged.map(files.pathOf));
        } finally {
          // After the files, which make room for it on a full disk.
          await removeEntries(purged);
          attempt(() => index.removeRefusals(imageId, exceptSha256));
        }
      }),

    clear: () => demand(startAfresh),

    position: () => attempt(() => index.position()),
    setPosition: (position) => index.setPosition(position),

    async [Symbol.asyncDispose]() {
      isClosed = true;
      for (const render of running) render.forgotten = true;
      recent.clear();
      await unkept[Symbol.asyncDispose]();
      index[Symbol.dispose]();
      files[Symbol.dispose]();
    },
  };
}

/** Makes index and files agree, and keeps to the budget. */
async function tidy(index: VariantIndex, files: CachedFiles): Promise<void> {
  for (const shard of SHARDS) {
    const there = await files.list(shard);
    const known = index.files(shard);
    if (there.length === 0 && known.length === 0) continue;
    const idsThere = new Set(there.map(idOf));
    const idsKnown = new Set(known.map(idOf));
    index.remove(known.filter((file) => !idsThere.has(idOf(file))));
    await files.remove(there.filter((file) => !idsKnown.has(idOf(file))).map(files.pathOf));
  }
  await files.remove(index.trim().map(files.pathOf));
}

const idOf = ({ name, generation }: CachedFile): string => `${name}.${generation}`;
const nameOf = (key: string): string => new Bun.CryptoHasher("sha256").update(key).digest("hex");
