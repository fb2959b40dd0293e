import { every } from "../concurrency/clock.ts";
import type { BlobRef } from "../domain/blob.ts";
import { StoreOpenError } from "../domain/open-error.ts";
import type { Catalog } from "../ports.ts";
import { claimUnrecorded, type SweepDeps, type SweepObserver, type SweepOptions } from "./claim-unrecorded.ts";

/** Blobs of one transaction, and concurrent removals, which share syncs of folders. */
const BATCH = 200;
/** Sweeps of a tombstone in its time: daily for a week. Its bytes may still arrive. */
const TOMBSTONE_SWEEPS = 7;

/**
 * Removes the bytes of deleted images, and bytes that never got a record, until the signal aborts. The latter needs a
 * listing of the whole store, so it runs less often.
 * @param requireOwner throws StoreOpenError while the bytes are not this store's. Nothing is removed before it has passed.
 */
export async function runSweep(
  deps: SweepDeps,
  options: SweepOptions,
  requireOwner: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { grace, onFailure } = options;
  const isOurs = createOwnerCheck(requireOwner, options.observer);
  const sweep = async () => (await isOurs()) && sweepCondemned(deps, options, signal);
  const claim = async () => (await isOurs()) && claimUnrecorded(deps, options, signal);
  await Promise.all([
    every(between(100, grace / 10, 60_000), signal, sweep, onFailure),
    every(between(250, grace / 2, 3_600_000), signal, claim, onFailure),
  ]);
}

/** Checks until the check has passed once: the owner does not change while a store uses its bytes. */
function createOwnerCheck(requireOwner: () => Promise<void>, observer: SweepObserver | undefined) {
  let isConfirmed = false;
  return async (): Promise<boolean> => {
    if (isConfirmed) return true;
    try {
      await requireOwner();
    } catch (error) {
      if (!(error instanceof StoreOpenError)) throw error;
      observer?.stopped("owner", error.message);
      return false;
    }
    isConfirmed = true;
    observer?.stopped("owner", undefined);
    return true;
  };
}

/**
 * condemned → deleting → gone. After a crash at any step the next pass continues. Returns the number of removed blobs.
 */
export async function sweepCondemned(
  { catalog, blobs }: Omit<SweepDeps, "catalog"> & { readonly catalog: Pick<Catalog, "write"> },
  { grace, tombstone = 0, onFailure, observer }: SweepOptions,
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

  /** Returns the number of removed blobs; 0 once no more can be removed. */
  const removeSome = async (): Promise<number> => {
    const leaving = await catalog.write({ type: "beginBlobDeletion", grace, again, limit: BATCH });
    // The catalog returns failed ones again, after all others.
    const next = leaving.filter(({ key }) => !failed.has(key));
    const keys = (await Promise.all(next.map(remove))).filter((key) => key !== undefined);
    // The caller stops at 0 even if more are left: the disk has failed then, not a single blob.
    if (keys.length > 0) await catalog.write({ type: "finishBlobDeletion", keys, tombstone });
    return keys.length;
  };

  try {
    for (;;) {
      const count = signal?.aborted === true ? 0 : await removeSome();
      if (count === 0) return removed;
      removed += count;
    }
  } finally {
    if (removed > 0) observer?.removed(removed);
  }
}

const between = (least: number, value: number, most: number): number => Math.min(most, Math.max(least, value));
