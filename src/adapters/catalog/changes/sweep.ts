import type { BlobRef } from "../../../domain/blob.ts";
import type { BeginBlobDeletion, FinishBlobDeletion } from "../../../domain/upkeep.ts";
import type { Driver } from "../driver.ts";
import type { ChangeContext } from "./context.ts";
import { isHeld } from "./holds.ts";

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
    // `state <> 'live'` says that the index of those leaving will do.
    const sql = `select key, location, state from blobs where state = $1 and state <> 'live' and ${condition}
      order by changed_at, key limit $3`;
    leaving.push(...(await db.all<Leaving>(sql, [state, before, limit - leaving.length])));
  };
  await find("condemned", "changed_at < $2", now - grace);
  await find("pending", "changed_at < $2", now - grace);
  await find("deleting", "(swept_at is null or swept_at < $2)", now - again);

  // Those that are answered again go to the end of the line: what cannot be removed must not hold up the rest. One that
  // was pending may have got its record since it was looked at.
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
