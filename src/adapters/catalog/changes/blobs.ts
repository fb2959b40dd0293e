import type {
  BeginBlobDeletion,
  BlobRef,
  ClaimUnrecorded,
  FinishBlobDeletion,
  Hold,
  NewBlob,
  ReleaseHold,
} from "../../../domain/change.ts";
import { StoreError } from "../../../domain/errors.ts";
import type { Driver } from "../driver.ts";
import type { ChangeContext } from "./context.ts";

/**
 * The key is new, or the sweeper has claimed it: then its bytes may be gone, and no record may come to own them.
 * @throws StoreError `unavailable`
 */
export async function recordBlob(db: Driver, context: ChangeContext, blob: NewBlob, imageId: string): Promise<void> {
  const inserted = await db.run(
    `insert into blobs (key, location, size, sha256, image_id, state, changed_at)
     values ($1, $2, $3, $4, $5, 'live', $6) on conflict (key) do nothing`,
    [blob.key, blob.location, blob.size, blob.sha256, imageId, context.now],
  );
  if (inserted === 0)
    throw new StoreError("unavailable", "The upload took too long and its bytes were swept away. Try again.");
}

/** The image's record has gone, or owns another blob now. */
export const condemnBlob = (db: Driver, context: ChangeContext, imageId: string) =>
  db.run("update blobs set state = 'condemned', changed_at = $2 where image_id = $1 and state = 'live'", [
    imageId,
    context.now,
  ]);

export async function claimUnrecorded(db: Driver, context: ChangeContext, { blobs }: ClaimUnrecorded) {
  if (await isHeld(db, context)) return { claimed: 0 };
  let claimed = 0;
  for (const { key, location } of blobs)
    claimed += await db.run(
      `insert into blobs (key, location, size, sha256, image_id, state, changed_at)
       values ($1, $2, 0, '', null, 'deleting', $3) on conflict (key) do nothing`,
      [key, location, context.now],
    );
  return { claimed };
}

export async function beginBlobDeletion(
  db: Driver,
  context: ChangeContext,
  { before, limit }: BeginBlobDeletion,
): Promise<readonly BlobRef[]> {
  if (await isHeld(db, context)) return [];
  // `state <> 'live'` says that the index of those leaving will do.
  const condemned = await db.all<BlobRef>(
    `select key, location from blobs where state = 'condemned' and state <> 'live' and changed_at < $1
     order by changed_at, key limit $2`,
    [before, limit],
  );
  const deleting = await db.all<BlobRef>(
    `select key, location from blobs where state = 'deleting' and state <> 'live' order by changed_at, key limit $1`,
    [limit - condemned.length],
  );
  const leaving = [...condemned, ...deleting];
  // Those that are answered again go to the end of the line: what cannot be removed must not hold up the rest.
  for (const { key } of leaving)
    await db.run("update blobs set state = 'deleting', changed_at = $2 where key = $1", [key, context.now]);
  return leaving;
}

export async function finishBlobDeletion(db: Driver, _context: ChangeContext, { keys }: FinishBlobDeletion) {
  for (const key of keys) await db.run("delete from blobs where key = $1 and state = 'deleting'", [key]);
  return null;
}

export async function hold(db: Driver, context: ChangeContext, { id, seconds }: Hold): Promise<null> {
  await db.run("delete from holds where until <= $1", [context.now]);
  await db.run("insert into holds (id, until) values ($1, $2) on conflict (id) do update set until = excluded.until", [
    id,
    context.now + seconds * 1000,
  ]);
  return null;
}

export async function releaseHold(db: Driver, _context: ChangeContext, { id }: ReleaseHold): Promise<null> {
  await db.run("delete from holds where id = $1", [id]);
  return null;
}

/** Somebody reads the whole store, and nothing may go or move meanwhile. */
export const isHeld = async (db: Driver, { now }: ChangeContext): Promise<boolean> =>
  (await db.get("select 1 from holds where until > $1 limit 1", [now])) !== undefined;
