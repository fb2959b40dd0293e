import type { NewBlob } from "../../../domain/blob.ts";
import { StoreError } from "../../../domain/errors.ts";
import type { ClaimUnrecorded, ReserveBlobs } from "../../../domain/upkeep.ts";
import type { Driver } from "../driver.ts";
import type { ChangeContext } from "./context.ts";
import { isHeld } from "./holds.ts";

/** Answers before the bytes are sent, so that whatever becomes of them there is a row to sweep them by. */
export async function reserveBlobs(db: Driver, { now }: ChangeContext, { blobs }: ReserveBlobs): Promise<null> {
  await Promise.all(
    blobs.map(async ({ key, location, size, sha256 }) =>
      db.run(
        `insert into blobs (key, location, size, sha256, image_id, state, changed_at, reserved_at)
         values ($1, $2, $3, $4, null, 'pending', $5, $5)`,
        [key, location, size, sha256, now],
      ),
    ),
  );
  return null;
}

/**
 * The key is new, or reserved; or the sweeper has claimed it: then its bytes may be gone, and no record may come to own
 * them.
 * @throws StoreError `upload_expired`: no record has the key, nor will; `unavailable` when one has or had it
 */
export async function recordBlob(db: Driver, context: ChangeContext, blob: NewBlob, imageId: string): Promise<void> {
  const recorded = await (blob.reserved === true
    ? db.run(
        `update blobs set state = 'live', location = $2, image_id = $3, changed_at = $4, reserved_at = null
         where key = $1 and state = 'pending'`,
        [blob.key, blob.location, imageId, context.now],
      )
    : db.run(
        `insert into blobs (key, location, size, sha256, image_id, state, changed_at)
         values ($1, $2, $3, $4, $5, 'live', $6) on conflict (key) do nothing`,
        [blob.key, blob.location, blob.size, blob.sha256, imageId, context.now],
      ));
  if (recorded > 0) return;
  const owned = await db.get("select 1 from blobs where key = $1 and image_id is not null", [blob.key]);
  if (owned !== undefined)
    throw new StoreError("unavailable", "The upload may have been stored before. Look for the image, or try again.");
  throw new StoreError("upload_expired", "The upload took too long and its bytes were swept away. Try again.");
}

/** The image's record has gone, or owns another blob now. */
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
