import { crc32 } from "node:zlib";
import type { BlobSource, StagedBlob, StageLimits } from "../../ports.ts";
import { unlinkIfThere } from "../files/file-system.ts";
import { newKey } from "./files.ts";
import { createMemoryBudget, gatherSmall } from "./small-source.ts";
import { newTemporaryPath, type StagedFile } from "./staged-file.ts";

type Source = AsyncIterable<Uint8Array>;

export interface StagingOptions {
  /** Of files for sources that memory does not take. */
  readonly folder: string;
  /** Sources up to this many bytes stay in memory; 0: none. */
  readonly smallBytes: number;
  readonly writeFile: (path: string, source: Source, maxBytes: number) => Promise<StagedFile>;
  /** Where a commit will put it, for stores where a row is written before the bytes. */
  readonly locationOf?: (key: string, size: number) => string;
  /** Called with bytes that nothing refers to any more. */
  readonly onUnused?: (bytes: Uint8Array) => void;
}

/** What a blob store does before its bytes have their place: the same whether that is a disk or a bucket. */
export interface Staging {
  /** Keys of blobs from `stage` until `release`: the listing leaves them out. */
  readonly unreleased: Set<string>;
  stage(source: Source, options: StageLimits): Promise<StagedBlob>;
  /**
   * Has `place` give the bytes their place, and returns its result. Memory and file are free when it settles; on failure
   * the key is released too. `synced` settles with the sync of a file.
   */
  commit<Result>(
    key: string,
    place: (staged: StagedBlob, synced: Promise<void> | undefined) => Promise<Result>,
  ): Promise<Result>;
  discard(key: string): Promise<void>;
  release(keys: readonly string[]): void;
}

interface Staged {
  readonly blob: StagedBlob;
  readonly synced?: Promise<void>;
}

/** Shared by all uploads. Past it, small sources take the way of large ones, through a file each. */
const STAGED_BYTES = 64 * 1024 * 1024;

export function createStaging({ folder, smallBytes, ...options }: StagingOptions): Staging {
  const memory = createMemoryBudget(STAGED_BYTES);
  /** Neither committed nor discarded. */
  const staged = new Map<string, Staged>();
  const unreleased = new Set<string>();

  function add(content: Omit<StagedBlob, "key" | "location">, synced?: Promise<void>): StagedBlob {
    const key = newKey(content.sha256);
    const location = options.locationOf?.(key, content.size);
    const blob = { key, ...(location !== undefined && { location }), ...content };
    staged.set(key, { blob, ...(synced && { synced }) });
    unreleased.add(key);
    return blob;
  }

  async function stageFile(source: Source, maxBytes: number): Promise<StagedBlob> {
    const path = newTemporaryPath(folder);
    const { synced, ...written } = await options.writeFile(path, source, maxBytes);
    return add({ ...written, source: { path } }, synced);
  }

  function take(key: string): Staged | undefined {
    const found = staged.get(key);
    staged.delete(key);
    return found;
  }

  /** Best effort: a file that stays is removed at the next start. */
  async function free(source: BlobSource): Promise<void> {
    if ("bytes" in source) {
      memory.give(source.bytes.byteLength);
      options.onUnused?.(source.bytes);
    } else await unlinkIfThere(source.path).catch(() => {});
  }

  return {
    unreleased,

    async stage(source, { maxBytes, size = 0 }) {
      if (smallBytes === 0 || size > smallBytes) return stageFile(source, maxBytes);
      const { bytes, source: large } = await gatherSmall(source, Math.min(smallBytes, maxBytes), memory);
      if (bytes === undefined) return stageFile(large, maxBytes);
      const sha256 = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
      return add({ sha256, crc32: crc32(bytes), size: bytes.byteLength, source: { bytes } });
    },

    async commit(key, place) {
      const found = take(key);
      if (found === undefined) throw new Error(`${key} is not staged.`);
      try {
        return await place(found.blob, found.synced);
      } catch (error) {
        unreleased.delete(key);
        throw error;
      } finally {
        await free(found.blob.source);
      }
    },

    async discard(key) {
      const found = take(key);
      if (found === undefined) return;
      unreleased.delete(key);
      await free(found.blob.source);
      await found.synced?.catch(() => {});
    },

    release(keys) {
      for (const key of keys) unreleased.delete(key);
    },
  };
}
