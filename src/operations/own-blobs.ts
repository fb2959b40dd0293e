import { StoreError } from "../domain/errors.ts";
import { StoreOpenError } from "../domain/open-error.ts";
import type { BlobRow, BlobStore, Catalog } from "../ports.ts";

export interface OwnBlobsDeps {
  readonly catalog: Pick<Catalog, "storeId" | "blobs" | "recordedBlobs">;
  readonly blobs: Pick<BlobStore, "owner" | "claim" | "read" | "list">;
}

/** Where the two are, for messages: without a secret. */
export interface StorePlaces {
  readonly catalog: string;
  readonly blobs: string;
}

export interface OwnBlobsOptions {
  readonly places: StorePlaces;
  readonly claim: boolean;
  /** Also where the catalog has images: their bytes were lost, and are about to be brought back. Default: false. */
  readonly mayBeEmpty?: boolean;
}

/** Rows of the catalog, in the order of digests, which is as good as chance; and how many of them are looked for. */
const ROWS = 1000;
const SAMPLE = 20;
/** Of the bytes that no sampled row names. */
const LISTED = 1000;

/**
 * That the bytes belong to the catalog. Bytes that no store has claimed are this one's only where that is evident: the
 * catalog knows some of them, or both are empty. `claim` then marks them.
 * @throws StoreOpenError `foreign_blobs`; what catalog and blob store throw
 */
export async function requireOwnBlobs(
  { catalog, blobs }: OwnBlobsDeps,
  { places, claim, mayBeEmpty = false }: OwnBlobsOptions,
): Promise<void> {
  const { storeId } = catalog;
  let owner = await blobs.owner();
  if (owner === undefined) {
    await requireEvidence({ catalog, blobs }, places, mayBeEmpty);
    if (!claim) return;
    owner = await blobs.claim(storeId);
  }
  if (owner === storeId) return;
  throw new StoreOpenError(
    "foreign_blobs",
    `The bytes belong to another store. ${places.blobs} has those of store ${owner}; the catalog ${places.catalog} is ` +
      `of store ${storeId}. Nothing was changed. Set IMAGE_STORE_CATALOG_URL (or IMAGE_STORE_DATA) to the catalog of ` +
      `${owner}, or IMAGE_STORE_BLOBS_URL to the bytes of ${storeId}.`,
  );
}

async function requireEvidence(
  { catalog, blobs }: OwnBlobsDeps,
  places: StorePlaces,
  mayBeEmpty: boolean,
): Promise<void> {
  const rows = (await catalog.blobs({ limit: ROWS })).filter(({ state }) => state !== "deleting");
  for (const row of rows.slice(0, SAMPLE)) if (await isThere(blobs, row)) return;
  const isAnyKnown = await knowsListed({ catalog, blobs });
  if (isAnyKnown === true) return;
  // What is pending may have been cut off before its first byte.
  if (isAnyKnown === undefined && mayBeEmpty) return;
  if (isAnyKnown === undefined && rows.every(({ state }) => state === "pending")) return;
  const finding =
    isAnyKnown === undefined
      ? `The catalog ${places.catalog} has images, and ${places.blobs} has none of their bytes.`
      : `${places.blobs} has bytes, and the catalog ${places.catalog} knows none of them.`;
  throw new StoreOpenError(
    "foreign_blobs",
    `${finding} No store id is kept with the bytes, so nothing shows that they are of this catalog's store, ` +
      `${catalog.storeId}. Nothing was changed. Set IMAGE_STORE_CATALOG_URL and IMAGE_STORE_BLOBS_URL to what belongs ` +
      `together, and see that its disk is mounted. If they do, write ${catalog.storeId} into store-id there.`,
  );
}

/** Whether the store can read the blob. */
export async function isThere(
  blobs: Pick<BlobStore, "read">,
  { location, size }: Pick<BlobRow, "location" | "size">,
): Promise<boolean> {
  try {
    await blobs.read(location, { size, range: { start: 0, end: 0 } });
    return true;
  } catch (error) {
    if (error instanceof StoreError && error.code === "blob_damaged") return false;
    throw error;
  }
}

/** Undefined where there are none. */
async function knowsListed({ catalog, blobs }: OwnBlobsDeps): Promise<boolean | undefined> {
  const keys: string[] = [];
  for await (const { key } of blobs.list()) {
    keys.push(key);
    if (keys.length === LISTED) break;
  }
  return keys.length === 0 ? undefined : (await catalog.recordedBlobs(keys)).size > 0;
}
