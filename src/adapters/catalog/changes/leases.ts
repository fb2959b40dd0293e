import type { Fence } from "../../../domain/change.ts";
import { StoreError } from "../../../domain/errors.ts";
import type { AcquireLease, ReleaseLease } from "../../../domain/maintenance.ts";
import type { Driver } from "../driver.ts";
import type { ChangeContext } from "./context.ts";

/**
 * A node that cannot get the lease does not lock its row, since every write of the holder locks it. Otherwise one statement does
 * it, so of two concurrent nodes one waits and then sees the other's result. A late renewal never shortens the lease.
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

/** Keeps the row: its token must never be given out again. */
export async function releaseLease(db: Driver, _context: ChangeContext, { name, holder }: ReleaseLease): Promise<null> {
  await db.run("update leases set until = 0, holder = '' where name = $1 and holder = $2", [name, holder]);
  return null;
}

/**
 * Locks the lease until the transaction ends, so no other node gets it before the guarded change is committed. An expired lease
 * is valid until another node takes it.
 * @throws StoreError `lease_lost`
 */
export async function requireLease(db: Driver, { lease, token }: Fence): Promise<void> {
  const held = await db.get("select 1 from leases where name = $1 and token = $2 and holder <> '' for no key update", [
    lease,
    token,
  ]);
  if (held === undefined) throw new StoreError("lease_lost", "Another node holds the lease.");
}
