import type { BlobRef } from "../domain/blob.ts";
import { StoreError } from "../domain/errors.ts";
import type { BlobStore, Catalog, FoundBlob, OrphanedExtent } from "../ports.ts";

export interface SweepDeps {
  readonly catalog: Pick<Catalog, "write" | "recordedBlobs" | "blobs" | "totals">;
  readonly blobs: Pick<BlobStore, "shared" | "list" | "read" | "remove">;
}

export interface SweepOptions {
  /** Milliseconds for which bytes outlive their record, and may wait for one. */
  readonly grace: number;
  /** Milliseconds for which a shared store is swept again of bytes that were sent and never recorded. Default: 0. */
  readonly tombstone?: number;
  /** Share of the blobs in the store: a pass that would claim more of them, and more than 1,000, stops. Default: 0.1. */
  readonly share?: number;
  /** Called with the error of each blob that could not be removed. The next pass retries it. */
  readonly onFailure: (error: unknown) => void;
  readonly observer?: SweepObserver;
}

export interface SweepObserver {
  /** Blobs without a record will be removed. `keys` are some of theirs. */
  claimed(found: { readonly blobs: number; readonly bytes: number; readonly keys: readonly string[] }): void;
  removed(blobs: number): void;
  /** The sweep removes nothing, and why; undefined once the reason no longer holds. */
  stopped(reason: StopReason, why: string | undefined): void;
}

/** `owner`: the bytes may be another store's. `share`: too many blobs have no record. */
type StopReason = "owner" | "share";

/** Blobs of one transaction. */
const BATCH = 200;
/** Rows of one query. */
const ROWS = 1000;
/** A pass may always claim this many: a crash during a large multipart request leaves as many. */
const ALWAYS = 1000;
/** Blobs kept in memory. The next pass claims the rest. */
const MOST = 100_000;
const DEFAULT_SHARE = 0.1;
const LOGGED_KEYS = 10;

/** Result of listing the store. */
interface Survey {
  /** Blobs with a record. */
  readonly recorded: number;
  /** Blobs without a record, older than the grace. `refs` are the first {@link MOST}. */
  readonly unrecorded: number;
  readonly bytes: number;
  readonly refs: readonly BlobRef[];
  readonly orphaned: readonly OrphanedExtent[];
}

/**
 * Marks for deletion the blobs that are older than the grace and have no record; crashes leave such blobs. The order makes
 * it safe: first the store is listed, without this process's running uploads, and only then the catalog is queried. The
 * whole store is surveyed before the first mark: where the survey suggests that catalog and bytes do not belong together,
 * nothing is marked.
 */
export async function claimUnrecorded(deps: SweepDeps, options: SweepOptions, signal?: AbortSignal): Promise<void> {
  const { catalog, blobs } = deps;
  // In a shared store every upload has a row from its start, so no bucket has to be listed.
  if (blobs.shared) return;
  const { images } = await catalog.totals();
  const survey = await surveyStore(deps, Date.now() - options.grace, signal);
  if (survey === undefined) return;
  const doubt = doubtAbout(survey, images, options.share ?? DEFAULT_SHARE);
  options.observer?.stopped("share", doubt);
  if (doubt !== undefined) return;

  let claimed = 0;
  for (let start = 0; start < survey.refs.length; start += BATCH) {
    if (signal?.aborted === true) break;
    claimed += await claim(catalog, survey.refs.slice(start, start + BATCH));
  }
  if (claimed > 0) {
    const keys = survey.refs.slice(0, LOGGED_KEYS).map(({ key }) => key);
    options.observer?.claimed({ blobs: claimed, bytes: survey.bytes, keys });
  }
  if (signal?.aborted !== true) await claimOrphanedExtents(catalog, survey.orphaned);
}

/** Why the bytes may belong to another catalog, or to a later state of this one. */
function doubtAbout({ recorded, unrecorded }: Survey, images: number, share: number): string | undefined {
  if (unrecorded === 0 || share === 1) return undefined;
  if (recorded < images / 2)
    return `the catalog has ${images} images, and only ${recorded} of the blobs in the store are in the catalog`;
  const total = recorded + unrecorded;
  if (unrecorded <= Math.max(ALWAYS, share * total)) return undefined;
  return `${unrecorded} of ${total} blobs in the store have no record, which is more than ${share * 100} %`;
}

/** Undefined when the signal aborted. */
async function surveyStore(
  { catalog, blobs }: SweepDeps,
  before: number,
  signal: AbortSignal | undefined,
): Promise<Survey | undefined> {
  const refs: BlobRef[] = [];
  const orphaned: OrphanedExtent[] = [];
  let [recorded, unrecorded, bytes] = [0, 0, 0];

  const look = async (found: readonly FoundBlob[]): Promise<void> => {
    const locations = await catalog.recordedBlobs(found.map(({ key }) => key));
    recorded += locations.size;
    const old = found.filter(({ modifiedAt }) => modifiedAt < before);
    for (const { key, location, size } of old) {
      if (locations.has(key)) continue;
      unrecorded++;
      bytes += size;
      if (refs.length < MOST) refs.push({ key, location });
    }
    const copies = old.filter(({ key, location }) => locations.has(key) && locations.get(key) !== location);
    await Promise.all(copies.map((copy) => removeCopy(blobs, copy, locations.get(copy.key) ?? "")));
  };

  const listed = blobs.list(({ orphaned: found }) => {
    if (found !== undefined && orphaned.length < BATCH) orphaned.push(found);
  });
  let batch: FoundBlob[] = [];
  for await (const blob of listed) {
    if (signal?.aborted === true) return undefined;
    batch.push(blob);
    if (batch.length === BATCH) {
      await look(batch);
      batch = [];
    }
  }
  if (batch.length > 0) await look(batch);
  return { recorded, unrecorded, bytes, refs, orphaned };
}

/**
 * Removes a second copy of a blob, which a crash during its move left, and which no row will name again. It stays while
 * the recorded copy is damaged, since a repair can use it; it goes when that blob goes.
 */
async function removeCopy(blobs: SweepDeps["blobs"], { location, size }: FoundBlob, named: string): Promise<void> {
  try {
    await blobs.read(named, { size, range: { start: 0, end: 0 } });
  } catch (error) {
    if (error instanceof StoreError && error.code === "blob_damaged") return;
    throw error;
  }
  await blobs.remove(location);
}

/** Returns the number of new rows. */
async function claim(catalog: SweepDeps["catalog"], blobs: readonly BlobRef[]): Promise<number> {
  const { claimed } = await catalog.write({ type: "claimUnrecorded", blobs });
  return claimed;
}

/**
 * Marks the extents that a crash left of unfinished uploads, and unreadable remains of removed blobs. What may belong to a
 * blob with a row stays, for a repair. There is no grace: the bytes of a running upload are readable.
 */
async function claimOrphanedExtents(catalog: SweepDeps["catalog"], extents: readonly OrphanedExtent[]): Promise<void> {
  let orphans = extents;
  for (let afterKey = ""; orphans.length > 0; ) {
    const rows = await catalog.blobs({ afterKey, limit: ROWS });
    const last = rows.at(-1);
    if (last === undefined) break;
    orphans = orphans.filter(({ isOf }) => !rows.some(({ location }) => isOf(location)));
    afterKey = last.key;
  }
  if (orphans.length === 0) return;
  await claim(
    catalog,
    orphans.map(({ location }) => ({ key: location, location })),
  );
}
