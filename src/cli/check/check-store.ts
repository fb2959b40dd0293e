import { StoreError } from "../../domain/errors.ts";
import type { BlobContent, BlobRow, BlobStore, Catalog, FoundBlob, UnreadableBytes } from "../../ports.ts";
import { damageOf, findBlob } from "../blob-damage.ts";
import { whileHeld } from "../while-held.ts";

/**
 * Something that was found. No problem are `young`, such bytes may still get their record, or the sweeper takes them;
 * `copy`, which a crash left as the blob was moved, and the sweeper takes; and `unreadable` bytes that nobody misses, such
 * as a crash tears: what is missed is `damaged` too.
 */
export type Finding =
  | { readonly kind: "damaged"; readonly row: BlobRow; readonly images: readonly string[]; readonly reason: string }
  | { readonly kind: "unrecorded" | "young" | "copy"; readonly blob: FoundBlob }
  | { readonly kind: "unreadable"; readonly bytes: UnreadableBytes };

export interface CheckOptions {
  readonly catalog: Pick<Catalog, "write" | "blobs" | "recordedBlobs" | "images">;
  readonly blobs: Pick<BlobStore, "shared" | "read" | "list">;
  /** In milliseconds. */
  readonly grace: number;
  /** Bytes that were read so far. */
  readonly progress: (bytes: number) => void;
  readonly report: (finding: Finding) => void;
}

export interface CheckResult {
  readonly blobs: number;
  readonly bytes: number;
  readonly damaged: number;
  readonly unrecorded: number;
  readonly young: number;
}

const BATCH = 500;
/** Enough to keep a disk busy. */
const READS_AT_ONCE = 4;

/**
 * Reads all bytes that a live record owns and compares length and digest, then looks for bytes without a record. Nothing
 * is destroyed meanwhile, also by a server that runs.
 * @throws StoreError when catalog or store don't answer
 */
export async function checkStore(options: CheckOptions): Promise<CheckResult> {
  return whileHeld(options.catalog, "check", () => checkHeldStore(options));
}

/** The same for who holds the store already. */
export async function checkHeldStore(options: CheckOptions): Promise<CheckResult> {
  return { ...(await checkRecords(options)), ...(await checkUnrecorded(options)) };
}

async function checkRecords(options: CheckOptions) {
  const { catalog, progress, report } = options;
  const result = { blobs: 0, bytes: 0, damaged: 0 };

  const check = async (row: BlobRow): Promise<void> => {
    const reason = await findDamage(options.blobs, row);
    result.blobs++;
    result.bytes += row.size;
    progress(result.bytes);
    // No damage when this process slept, so that its hold lapsed, and the image was deleted meanwhile.
    if (reason === undefined || (await findBlob(catalog, row.key))?.state !== "live") return;
    result.damaged++;
    report({ kind: "damaged", row, reason, images: await imagesOf(catalog, row) });
  };

  for await (const rows of pagesOf(catalog)) {
    const live = rows.filter(({ state }) => state === "live").values();
    await Promise.all(
      Array.from({ length: READS_AT_ONCE }, async () => {
        for (const row of live) await check(row);
      }),
    );
  }
  return result;
}

export async function* pagesOf(catalog: CheckOptions["catalog"]): AsyncGenerator<readonly BlobRow[]> {
  for (let afterKey = ""; ; ) {
    const rows = await catalog.blobs({ afterKey, limit: BATCH });
    const last = rows.at(-1);
    if (last === undefined) return;
    yield rows;
    afterKey = last.key;
  }
}

async function findDamage(blobs: CheckOptions["blobs"], { location, size, sha256 }: BlobRow) {
  try {
    const found = await digestOf(await blobs.read(location, { size }));
    return found === sha256 ? undefined : `its bytes have the digest ${found}`;
  } catch (error) {
    // A store elsewhere that is away for now has what it had: then nothing can be said of it.
    if (blobs.shared && error instanceof StoreError && error.code === "unavailable") throw error;
    return damageOf(error);
  }
}

async function digestOf(content: BlobContent): Promise<string> {
  const hasher = new Bun.CryptoHasher("sha256");
  if (content instanceof Uint8Array) hasher.update(content);
  else for await (const chunk of content instanceof Blob ? content.stream() : content) hasher.update(chunk);
  return hasher.digest("hex");
}

/** Images with that content, as `album/name`: of several, only one owns the damaged blob. */
async function imagesOf(catalog: CheckOptions["catalog"], { sha256 }: BlobRow): Promise<readonly string[]> {
  const { items } = await catalog.images({ sha256, orderBy: "name", limit: 10 });
  return items.map(({ album, name }) => `${album}/${name}`);
}

async function checkUnrecorded({ catalog, blobs, grace, report }: CheckOptions) {
  const result = { unrecorded: 0, young: 0 };
  const before = Date.now() - grace;

  const check = async (found: readonly FoundBlob[]): Promise<void> => {
    const recorded = await catalog.recordedBlobs(found.map(({ key }) => key));
    for (const blob of found) {
      const location = recorded.get(blob.key);
      if (location === blob.location || !(await isThere(blobs, blob))) continue;
      if (location !== undefined) {
        report({ kind: "copy", blob });
        continue;
      }
      const kind = blob.modifiedAt < before ? "unrecorded" : "young";
      result[kind]++;
      report({ kind, blob });
    }
  };

  let batch: FoundBlob[] = [];
  for await (const blob of blobs.list((bytes) => report({ kind: "unreadable", bytes }))) {
    batch.push(blob);
    if (batch.length === BATCH) {
      await check(batch);
      batch = [];
    }
  }
  await check(batch);
  return result;
}

/** A deletion that a server had begun before the hold ends with bytes and row gone, maybe between our two looks. */
async function isThere(blobs: CheckOptions["blobs"], { location, size }: FoundBlob): Promise<boolean> {
  try {
    await blobs.read(location, { size, range: { start: 0, end: 0 } });
    return true;
  } catch (error) {
    if (error instanceof StoreError && error.code === "blob_damaged") return false;
    throw error;
  }
}
