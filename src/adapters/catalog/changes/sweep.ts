import type { BlobRef } from "../../../domain/blob.ts";
import type { BeginBlobDeletion, FinishBlobDeletion, Hold, ReleaseHold } from "../../../domain/maintenance.ts";
import type { Driver } from "../driver.ts";
import type { ChangeContext } from "./context.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

type Leaving = BlobRef & { readonly state: "pending" | "condemned" | "deleting" };

export async function beginBlobDeletion(
  db: Driver,
  context: ChangeContext,
  { grace, again = DAY_MS, limit }: BeginBlobDeletion,
): Promise<readonly BlobRef[]> {
  if (await isHeld(db, context)) return [];
  const { now } = context;
  const leaving: Leaving[] = [];
  const find = async (state: Leaving["state"], condition: string, before: number) => {
    // `state <> 'live'` makes the partial index usable.
    const sql = `select key, location, state from blobs where state = $1 and state <> 'live' and ${condition}
      order by changed_at, key limit $3`;
    leaving.push(...(await db.all<Leaving>(sql, [state, before, limit - leaving.length])));
  };
  await find("condemned", "changed_at < $2", now - grace);
  await find("pending", "changed_at < $2", now - grace);
  await find("deleting", "(swept_at is null or swept_at < $2)", now - again);

  // A new `changed_at` moves them to the end of the queue, so blobs that cannot be removed do not block the others. The state is
  // checked again, since a pending blob may have got its record meanwhile.
  const begin = "update blobs set state = 'deleting', changed_at = $3 where key = $1 and state = $2";
  const changed = await Promise.all(leaving.map(async ({ key, state }) => db.run(begin, [key, state, now])));
  return leaving.filter((_, index) => changed[index] === 1).map(({ key, location }) => ({ key, location }));
}

export async function finishBlobDeletion(db: Driver, { now }: ChangeContext, change: FinishBlobDeletion) {
  const { keys, tombstone = 0 } = change;
  const forget = "delete from blobs where key = $1 and state = 'deleting' and coalesce(reserved_at, 0) <= $2";
  const mark = "update blobs set swept_at = $2 where key = $1 and state = 'deleting'";
  await Promise.all(keys.map((key) => Promise.all([db.run(forget, [key, now - tombstone]), db.run(mark, [key, now])])));
  return null;
}

export async function hold(db: Driver, { now }: ChangeContext, { id, seconds }: Hold): Promise<null> {
  await lockHolds(db);
  await db.run("delete from holds where until <= $1", [now]);
  await db.run("insert into holds (id, until) values ($1, $2) on conflict (id) do update set until = excluded.until", [
    id,
    now + seconds * 1000,
  ]);
  return null;
}

export async function releaseHold(db: Driver, _context: ChangeContext, { id }: ReleaseHold): Promise<null> {
  await db.run("delete from holds where id = $1", [id]);
  return null;
}

/** Whether a hold forbids to remove or move bytes. No hold begins before this transaction ends. */
export async function isHeld(db: Driver, { now }: ChangeContext): Promise<boolean> {
  const [, held] = await Promise.all([lockHolds(db), db.get("select 1 from holds where until > $1 limit 1", [now])]);
  return held !== undefined;
}

/** Keeps a hold from beginning between the check for holds and the removal that follows it. */
const lockHolds = (db: Driver) => db.get("select 1 from store where id = 1 for no key update");
