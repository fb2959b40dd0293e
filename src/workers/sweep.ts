import type { BlobRef } from "../domain/blob.ts";
import { StoreError } from "../domain/errors.ts";
import type { BlobStore, Catalog, FoundBlob, Remains } from "../ports.ts";
import { every } from "./every.ts";

export interface SweepPorts {
  readonly catalog: Pick<Catalog, "write" | "recordedBlobs" | "blobs">;
  readonly blobs: Pick<BlobStore, "shared" | "list" | "read" | "remove">;
}

export interface SweepOptions {
  /** How long bytes outlive their record, and how long they may wait for one; in milliseconds. */
  readonly grace: number;
  /** How long bytes that were sent to a shared store and never recorded are looked for; in milliseconds. Default: 0. */
  readonly tombstone?: number;
  /** Of a blob that could not be removed; it is tried again in the next pass. */
  readonly onFailure: (error: unknown) => void;
}

/** One transaction, and as many removals at once as the folder syncs can share. */
const BATCH = 200;
/** How often in its time bytes that may still be on their way are removed once more: daily in a week. */
const TOMBSTONE_SWEEPS = 7;
/** Of the catalog at once, where all are looked through. */
const ROWS = 1000;

/**
 * Takes the bytes that nobody owns any more, and those that nobody ever owned, until the signal aborts. A listing walks
 * the whole store, so that it comes less often.
 */
export async function runSweep(ports: SweepPorts, options: SweepOptions, signal: AbortSignal): Promise<void> {
  const { grace, onFailure } = options;
  await Promise.all([
    every(between(100, grace / 10, 60_000), signal, () => sweepCondemned(ports, options, signal), onFailure),
    every(between(250, grace / 2, 3_600_000), signal, () => claimUnrecorded(ports, options, signal), onFailure),
  ]);
}

/**
 * condemned → deleting → gone. A crash after any step leaves a state from which the next pass goes on. Answers how many
 * were removed.
 */
export async function sweepCondemned(
  { catalog, blobs }: SweepPorts,
  { grace, tombstone = 0, onFailure }: SweepOptions,
  signal?: AbortSignal,
): Promise<number> {
  const again = Math.ceil(tombstone / TOMBSTONE_SWEEPS);
  const failed = new Set<string>();
  let removed = 0;

  const remove = async ({ key, location }: BlobRef): Promise<string | undefined> => {
    try {
      await blobs.remove(location);
      return key;
    } catch (error) {
      failed.add(key);
      onFailure(error);
      return undefined;
    }
  };

  for (;;) {
    if (signal?.aborted === true) return removed;
    const leaving = await catalog.write({ type: "beginBlobDeletion", grace, again, limit: BATCH });
    // Those that failed are answered again, after all others.
    const next = leaving.filter(({ key }) => !failed.has(key));
    const keys = (await Promise.all(next.map(remove))).filter((key) => key !== undefined);
    // Also when none could be removed: then something is wrong with the disk, not with a blob.
    if (keys.length === 0) return removed;
    await catalog.write({ type: "finishBlobDeletion", keys, tombstone });
    removed += keys.length;
  }
}

/**
 * Marks bytes for deletion that lie in the store for longer than the grace and have no record, such as a crash leaves
 * them. The order is what makes it safe: the listing, which leaves out what this process has on its way, comes first, and
 * the catalog is asked afterwards.
 */
export async function claimUnrecorded(
  { catalog, blobs }: SweepPorts,
  { grace }: SweepOptions,
  signal?: AbortSignal,
): Promise<void> {
  // There, what is on its way has a row from the start, and nobody lists whole buckets.
  if (blobs.shared) return;
  const before = Date.now() - grace;

  const claim = async (found: readonly FoundBlob[]): Promise<void> => {
    const recorded = await catalog.recordedBlobs(found.map(({ key }) => key));
    const unrecorded = found.filter(({ key }) => !recorded.has(key)).map(({ key, location }) => ({ key, location }));
    if (unrecorded.length > 0) await catalog.write({ type: "claimUnrecorded", blobs: unrecorded });
    // A second copy that a crash left as it was moved, or that was removed meanwhile: no row will ever name it again.
    const copies = found.filter(({ key, location }) => recorded.has(key) && recorded.get(key) !== location);
    await Promise.all(
      copies.map(async ({ key, location, size }) => {
        if (await isReadable(recorded.get(key) ?? "", size)) await blobs.remove(location);
      }),
    );
  };

  /** Where the named copy is damaged, a repair heals it with this one; with its row it goes all the same. */
  async function isReadable(location: string, size: number): Promise<boolean> {
    try {
      await blobs.read(location, { size, range: { start: 0, end: 0 } });
      return true;
    } catch (error) {
      if (error instanceof StoreError && error.code === "blob_damaged") return false;
      throw error;
    }
  }

  let batch: FoundBlob[] = [];
  const remains: Remains[] = [];
  const told = blobs.list(({ remains: found }) => {
    if (found !== undefined && remains.length < BATCH) remains.push(found);
  });
  for await (const blob of told) {
    if (signal?.aborted === true) return;
    if (blob.modifiedAt >= before) continue;
    batch.push(blob);
    if (batch.length === BATCH) {
      await claim(batch);
      batch = [];
    }
  }
  if (batch.length > 0) await claim(batch);
  await claimRemains(catalog, remains);
}

/**
 * Marks what a crash left of uploads that were never answered, and what cannot be read of blobs that were removed. What
 * may be left of a blob that has a row stays, for whoever can mend it. No grace: bytes of a running upload are readable.
 */
async function claimRemains(catalog: SweepPorts["catalog"], remains: readonly Remains[]): Promise<void> {
  let nobodys = remains;
  for (let afterKey = ""; nobodys.length > 0; ) {
    const rows = await catalog.blobs({ afterKey, limit: ROWS });
    const last = rows.at(-1);
    if (last === undefined) break;
    nobodys = nobodys.filter(({ isOf }) => !rows.some(({ location }) => isOf(location)));
    afterKey = last.key;
  }
  if (nobodys.length === 0) return;
  await catalog.write({ type: "claimUnrecorded", blobs: nobodys.map(({ location }) => ({ key: location, location })) });
}

const between = (least: number, value: number, most: number): number => Math.min(most, Math.max(least, value));
