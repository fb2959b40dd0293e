import type { Fence } from "../../../domain/change.ts";
import { StoreError } from "../../../domain/errors.ts";
import type { AcquireLease, ReleaseLease } from "../../../domain/upkeep.ts";
import type { Driver } from "../driver.ts";
import type { ChangeContext } from "./context.ts";

/**
 * Who would get nothing does not lock the row, which the holder's every write locks too. The rest is one statement, so
 * that of two nodes that ask at once one waits for the other and then sees what it did. A renewal that comes late, after
 * one that was sent later, takes nothing back.
 */
export async function acquireLease(db: Driver, { now }: ChangeContext, { name, holder, milliseconds }: AcquireLease) {
  const others = await db.get("select 1 from leases where name = $1 and holder <> $2 and until > $3", [
    name,
    holder,
    now,
  ]);
  if (others !== undefined) return { token: null };
  await db.run(
    `insert into leases (name, holder, token, until) values ($1, $2, 1, $3)
     on conflict (name) do update set
       holder = excluded.holder,
       token = leases.token + case when leases.holder = excluded.holder then 0 else 1 end,
       until = case
         when leases.holder = excluded.holder and leases.until > excluded.until then leases.until
         else excluded.until end
     where leases.holder = excluded.holder or leases.until <= $4`,
    [name, holder, now + milliseconds, now],
  );
  const lease = await db.get<{ token: number }>("select token from leases where name = $1 and holder = $2", [
    name,
    holder,
  ]);
  return { token: lease?.token ?? null };
}

/** The row stays: its token must never be given again. */
export async function releaseLease(db: Driver, _context: ChangeContext, { name, holder }: ReleaseLease): Promise<null> {
  await db.run("update leases set until = 0, holder = '' where name = $1 and holder = $2", [name, holder]);
  return null;
}

/**
 * Locks the lease until the transaction ends, so that it is not given to anybody else before what it guards is done. One
 * that has lapsed is good for as long as nobody took it.
 * @throws StoreError `lease_lost`
 */
export async function requireLease(db: Driver, { lease, token }: Fence): Promise<void> {
  const held = await db.get("select 1 from leases where name = $1 and token = $2 and holder <> '' for no key update", [
    lease,
    token,
  ]);
  if (held === undefined) throw new StoreError("lease_lost", "Another node does this now.");
}
