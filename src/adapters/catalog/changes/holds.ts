import type { Hold, ReleaseHold } from "../../../domain/upkeep.ts";
import type { Driver } from "../driver.ts";
import type { ChangeContext } from "./context.ts";

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

/** Somebody reads the whole store, and nothing may go or move meanwhile. Until this transaction ends nobody begins to. */
export async function isHeld(db: Driver, { now }: ChangeContext): Promise<boolean> {
  const [, held] = await Promise.all([lockHolds(db), db.get("select 1 from holds where until > $1 limit 1", [now])]);
  return held !== undefined;
}

/** Where several write at a time, a hold must not come between the look at the holds and what is destroyed after it. */
const lockHolds = (db: Driver) => db.get("select 1 from store where id = 1 for no key update");
