import type { Idempotency, Replayable } from "../../../domain/change.ts";
import { StoreError } from "../../../domain/errors.ts";
import type { PruneIdempotency } from "../../../domain/maintenance.ts";
import type { Driver } from "../driver.ts";
import { withCurrentNames } from "../rows.ts";
import type { ChangeContext } from "./context.ts";

/**
 * Runs the change, or returns the stored result if the key was used before. The row is inserted first, so a concurrent request
 * with the same key waits for this transaction and then replays. If the change fails, the row is rolled back with it.
 */
export async function onlyOnce<Value>(
  db: Driver,
  context: ChangeContext,
  idempotency: Idempotency | undefined,
  change: () => Promise<Value>,
): Promise<Replayable<Value>> {
  if (idempotency === undefined) return { replayed: false, value: await change() };
  const { scope, key, fingerprint } = idempotency;
  const inserted = await db.run(
    `insert into idempotency (scope, key, fingerprint, created_at) values ($1, $2, $3, $4)
     on conflict (scope, key) do nothing`,
    [scope, key, fingerprint, context.now],
  );
  if (inserted === 0) return { replayed: true, value: await firstResult<Value>(db, idempotency) };
  const value = await change();
  const answer = JSON.stringify(value);
  requireKeepable(answer);
  await db.run("update idempotency set answer = $3 where scope = $1 and key = $2", [scope, key, answer]);
  return { replayed: false, value };
}

/** Of a record it is far less; of a batch it may be a thousand records. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

function requireKeepable(answer: string): void {
  const size = Buffer.byteLength(answer);
  if (size <= MAX_ANSWER_BYTES) return;
  throw new StoreError(
    "too_large",
    `The response, which the store would keep for the Idempotency-Key, has ${size} bytes; the limit is ${MAX_ANSWER_BYTES}. ` +
      "Send fewer operations, or no Idempotency-Key.",
    { members: { limit: MAX_ANSWER_BYTES } },
  );
}

async function firstResult<Value>(db: Driver, { scope, key, fingerprint }: Idempotency): Promise<Value> {
  const first = await db.get<{ fingerprint: string; answer: string }>(
    "select fingerprint, answer from idempotency where scope = $1 and key = $2",
    [scope, key],
  );
  if (first?.fingerprint !== fingerprint)
    throw new StoreError("idempotency_key_reused", "The idempotency key was used before for a different request.");
  return JSON.parse(withCurrentNames(first.answer)) as Value;
}

export async function pruneIdempotency(db: Driver, { now }: ChangeContext, change: PruneIdempotency) {
  const pruned = await db.run(
    `delete from idempotency where (scope, key) in
       (select scope, key from idempotency where created_at < $1 order by created_at limit $2)`,
    [now - change.retention, change.limit],
  );
  return { pruned };
}
