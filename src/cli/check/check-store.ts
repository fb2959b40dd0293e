import { crc32 } from "node:zlib";
import { StoreError } from "../../domain/errors.ts";
import type { Miscount } from "../../domain/quota.ts";
import { isThere } from "../../operations/own-blobs.ts";
import { chunksOf } from "../../operations/zip-sources.ts";
import type { BlobContent, BlobRow, BlobStore, Catalog, FoundBlob, UnreadableBytes } from "../../ports.ts";
import { damageOf } from "../blob-damage.ts";
import { findBlob, whileHeld } from "../store.ts";

/**
 * Something that a check found. Harmless are: `young` bytes, which still get a record or are swept; a `copy`, which a crash left when
 * its blob was moved, and which is swept; and `unreadable` bytes, such as a crash tears. If a record needs unreadable bytes, it is
 * also reported as `damaged`. `checksum`: the bytes are intact, but their CRC-32 is another than the recorded one, so a ZIP archive is
 * cut off at them.
 */
export type Finding =
  | { readonly kind: "damaged"; readonly row: BlobRow; readonly images: readonly string[]; readonly reason: string }
  | { readonly kind: "checksum"; readonly row: BlobRow; readonly images: readonly string[]; readonly crc32: number }
  | { readonly kind: "unrecorded" | "young" | "copy"; readonly blob: FoundBlob }
  | { readonly kind: "unreadable"; readonly bytes: UnreadableBytes }
  | { readonly kind: "miscounted"; readonly miscount: Miscount };

export interface CheckOptions {
  readonly catalog: Pick<Catalog, "write" | "blobs" | "recordedBlobs" | "images" | "miscounts">;
  readonly blobs: Pick<BlobStore, "shared" | "read" | "list">;
  /** Age in milliseconds from which bytes without a record are reported as `unrecorded`. */
  readonly grace: number;
  /** Bytes read so far. */
  readonly progress: (bytes: number) => void;
  readonly report: (finding: Finding) => void;
}

export interface CheckResult {
  readonly blobs: number;
  readonly bytes: number;
  readonly damaged: number;
  /** Intact blobs whose recorded CRC-32 is wrong. */
  readonly checksums: number;
  readonly unrecorded: number;
  readonly young: number;
  /** Counters of albums and quotas that do not agree with the images. */
  readonly miscounted: number;
}

const BATCH = 500;
/** Keeps a disk busy. */
const READS_AT_ONCE = 4;

/**
 * Reads the bytes of every live record and compares length and digest, then looks for bytes without a record. A hold keeps a
 * server from removing bytes meanwhile.
 * @throws StoreError if the catalog or the blob store does not respond
 */
export async function checkStore(options: CheckOptions): Promise<CheckResult> {
  return whileHeld(options.catalog, "check", () => checkHeldStore(options));
}

/** Checks the store for a caller that has a hold on it. */
export async function checkHeldStore(options: CheckOptions): Promise<CheckResult> {
  return {
    ...(await checkCounters(options)),
    ...(await checkRecords(options)),
    ...(await checkUnrecorded(options)),
  };
}

async function checkCounters({ catalog, report }: CheckOptions) {
  const wrong = await catalog.miscounts();
  for (const miscount of wrong) report({ kind: "miscounted", miscount });
  return { miscounted: wrong.length };
}

async function checkRecords(options: CheckOptions) {
  const { catalog, progress, report } = options;
  const result = { blobs: 0, bytes: 0, damaged: 0, checksums: 0 };

  const check = async (row: BlobRow): Promise<void> => {
    const found = await findDamage(options.blobs, row);
    result.blobs++;
    result.bytes += row.size;
    progress(result.bytes);
    // Not damaged if this process slept, its hold expired, and the image was deleted meanwhile.
    if (found === undefined || (await findBlob(catalog, row.key))?.state !== "live") return;
    result["reason" in found ? "damaged" : "checksums"]++;
    const images = await imagesOf(catalog, row);
    report(
      "reason" in found ? { kind: "damaged", row, images, ...found } : { kind: "checksum", row, images, ...found },
    );
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

/** Why the bytes are damaged, or the CRC-32 that the row lacks. */
async function findDamage(
  blobs: CheckOptions["blobs"],
  { location, size, sha256, crc32: recorded }: BlobRow,
): Promise<{ readonly reason: string } | { readonly crc32: number } | undefined> {
  try {
    const found = await digestsOf(await blobs.read(location, { size }));
    if (found.sha256 !== sha256) return { reason: `its bytes have the digest ${found.sha256}` };
    return recorded === null || recorded === found.crc32 ? undefined : { crc32: found.crc32 };
  } catch (error) {
    // An unreachable bucket says nothing about its bytes.
    if (blobs.shared && error instanceof StoreError && error.code === "unavailable") throw error;
    return { reason: damageOf(error) };
  }
}

async function digestsOf(content: BlobContent) {
  const hasher = new Bun.CryptoHasher("sha256");
  let checksum = 0;
  for await (const chunk of chunksOf(content)) {
    hasher.update(chunk);
    checksum = crc32(chunk, checksum);
  }
  return { sha256: hasher.digest("hex"), crc32: checksum };
}

/** Images with that content, as `album/name`. If there are several, one of them owns the damaged blob. */
async function imagesOf(catalog: CheckOptions["catalog"], { sha256 }: BlobRow): Promise<readonly string[]> {
  const { items } = await catalog.images({ visibility: "all", sha256, orderBy: "name", limit: 10 });
  return items.map(({ album, name }) => `${album}/${name}`);
}

async function checkUnrecorded({ catalog, blobs, grace, report }: CheckOptions) {
  const result = { unrecorded: 0, young: 0 };
  const before = Date.now() - grace;

  const check = async (found: readonly FoundBlob[]): Promise<void> => {
    const recorded = await catalog.recordedBlobs(found.map(({ key }) => key));
    for (const blob of found) {
      const location = recorded.get(blob.key);
      // A deletion that began before the hold may have removed the bytes and the row since the blob was listed.
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
