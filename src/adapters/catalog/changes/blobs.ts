import type { NewBlob } from "../../../domain/blob.ts";
import { StoreError } from "../../../domain/errors.ts";
import type { ClaimUnrecorded, MoveBlobs, RecordChecksums, ReserveBlobs } from "../../../domain/maintenance.ts";
import type { Driver } from "../driver.ts";
import type { ChangeContext } from "./context.ts";
import { isHeld } from "./sweep.ts";

/** Inserts a row before the bytes are sent, so the sweeper can find them whatever happens to the upload. */
export async function reserveBlobs(db: Driver, { now }: ChangeContext, { blobs }: ReserveBlobs): Promise<null> {
  await Promise.all(
    blobs.map(async ({ key, location, size, sha256, crc32 = null }) =>
      db.run(
        `insert into blobs (key, location, size, sha256, crc32, image_id, state, changed_at, reserved_at)
         values ($1, $2, $3, $4, $5, null, 'pending', $6, $6)`,
        [key, location, size, sha256, crc32, now],
      ),
    ),
  );
  return null;
}

/**
 * Makes the blob live and owned by the image. The key must be new or reserved. If the sweeper has claimed it, its bytes may be
 * gone and no record may own them.
 * @throws StoreError `upload_expired` if the sweeper has the blob; `unavailable` if a record has or had the key
 */
export async function recordBlob(db: Driver, context: ChangeContext, blob: NewBlob, imageId: string): Promise<void> {
  const recorded = await (blob.reserved === true
    ? db.run(
        `update blobs set state = 'live', location = $2, image_id = $3, changed_at = $4, reserved_at = null
         where key = $1 and state = 'pending'`,
        [blob.key, blob.location, imageId, context.now],
      )
    : db.run(
        `insert into blobs (key, location, size, sha256, crc32, image_id, state, changed_at)
         values ($1, $2, $3, $4, $5, $6, 'live', $7) on conflict (key) do nothing`,
        [blob.key, blob.location, blob.size, blob.sha256, blob.crc32 ?? null, imageId, context.now],
      ));
  if (recorded > 0) return;
  const owned = await db.get("select 1 from blobs where key = $1 and image_id is not null", [blob.key]);
  if (owned !== undefined)
    throw new StoreError("unavailable", "The upload may already be stored. Look for the image, or try again.");
  throw new StoreError("upload_expired", "The upload took too long and its bytes were removed. Try again.");
}

/** For an image that is deleted or gets another blob. */
export const condemnBlob = (db: Driver, context: ChangeContext, imageId: string) =>
  db.run("update blobs set state = 'condemned', changed_at = $2 where image_id = $1 and state = 'live'", [
    imageId,
    context.now,
  ]);

export async function claimUnrecorded(db: Driver, context: ChangeContext, { blobs }: ClaimUnrecorded) {
  if (await isHeld(db, context)) return { claimed: 0 };
  const claimed = await Promise.all(
    blobs.map(async ({ key, location }) =>
      db.run(
        `insert into blobs (key, location, size, sha256, image_id, state, changed_at)
         values ($1, $2, 0, '', null, 'deleting', $3) on conflict (key) do nothing`,
        [key, location, context.now],
      ),
    ),
  );
  return { claimed: claimed.reduce((sum, rows) => sum + rows, 0) };
}

/** Leaves a blob in state `deleting` alone: the sweeper removes its bytes at the location of its row. */
export async function moveBlobs(db: Driver, context: ChangeContext, { moves }: MoveBlobs) {
  if (await isHeld(db, context)) return { moved: [] };
  const changed = await Promise.all(
    moves.map(async ({ key, from, to }) =>
      db.run("update blobs set location = $3 where key = $1 and location = $2 and state <> 'deleting'", [
        key,
        from,
        to,
      ]),
    ),
  );
  return { moved: moves.filter((_, index) => changed[index] === 1).map(({ key }) => key) };
}

export async function recordChecksums(db: Driver, _: ChangeContext, { blobs }: RecordChecksums) {
  // Always in this order, so no two transactions wait for each other.
  const sorted = blobs.toSorted((one, other) => (one.key < other.key ? -1 : 1));
  const recorded = await Promise.all(
    sorted.map(async ({ key, crc32, was = null }) =>
      db.run("update blobs set crc32 = $2 where key = $1 and state = 'live' and crc32 is not distinct from $3", [
        key,
        crc32,
        was,
      ]),
    ),
  );
  return { recorded: recorded.reduce((sum, rows) => sum + rows, 0) };
}
