import { forbidden } from "../../../domain/access.ts";
import type { CreateKey, NoteUses, RevokedAccess, RevokeKey, UpdateKey } from "../../../domain/access-changes.ts";
import type { Requested } from "../../../domain/change.ts";
import { StoreError } from "../../../domain/errors.ts";
import { type AuditEventType, makerOf, STORE } from "../../../domain/event.ts";
import { type GrantRecord, rightBeyond, toGrant } from "../../../domain/grant.ts";
import type { Key } from "../../../domain/key.ts";
import type { Driver } from "../driver.ts";
import { KEY_COLUMNS, type KeyRow, toKey } from "../queries/keys.ts";
import { moveAccessRevision } from "./access-revision.ts";
import { appendAuditEvent } from "./append-event.ts";
import { type ChangeContext, requirePreconditions } from "./context.ts";
import { lockMaker } from "./lock-maker.ts";
import { insertKeyQuota } from "./quotas.ts";
import { revokeSharesOf } from "./shares.ts";
import { deleteTicketsOf } from "./tickets.ts";

export async function createKey(db: Driver, context: ChangeContext, change: CreateKey): Promise<Key> {
  const { id, name, sha256, grants, expiresAt } = change;
  await requireGivable(db, context, change, { grants, expiresAt });
  const row: KeyRow = {
    id,
    name,
    grants: JSON.stringify(grants),
    revision: 1,
    created_at: context.now,
    created_by: JSON.stringify(makerOf(change.by?.actor ?? STORE)),
    expires_at: expiresAt,
    revoked_at: null,
    used_at: null,
  };
  await db.run(
    `insert into keys (id, name, sha256, grants, revision, created_at, created_by, expires_at)
     values ($1, $2, $3, $4, 1, $5, $6, $7)`,
    [id, name, sha256, row.grants, context.now, row.created_by, expiresAt],
  );
  const key = await announce(db, context, "imagestore.key.created", row, change);
  if (change.quota !== undefined) await insertKeyQuota(db, context, id, change.quota, change);
  return key;
}

export async function updateKey(db: Driver, context: ChangeContext, change: UpdateKey): Promise<Key> {
  const { patch } = change;
  const row = await lockKey(db, change.id);
  if (row.revoked_at !== null) throw new StoreError("key_not_editable", "The API key was revoked.");
  requirePreconditions(change.preconditions, versioned(row), ({ id, revision }) => ({ id, revision }));
  const before = JSON.parse(row.grants) as GrantRecord[];
  const { name = row.name, grants = before, expiresAt = row.expires_at } = patch;
  const unchanged = name === row.name && expiresAt === row.expires_at && Bun.deepEquals(grants, before);
  if (unchanged) return toKey(row);

  const isWider = rightBeyond({ grants: before.map(toGrant) }, grants.map(toGrant)) !== undefined;
  const isLonger = row.expires_at !== null && (expiresAt === null || expiresAt > row.expires_at);
  if (isWider || isLonger) await requireGivable(db, context, change, { grants, expiresAt });
  const next: KeyRow = {
    ...row,
    name,
    grants: JSON.stringify(grants),
    expires_at: expiresAt,
    revision: row.revision + 1,
  };
  await db.run("update keys set name = $2, grants = $3, expires_at = $4, revision = $5 where id = $1", [
    row.id,
    name,
    next.grants,
    expiresAt,
    next.revision,
  ]);
  return announce(db, context, "imagestore.key.updated", next, change);
}

export async function revokeKey(db: Driver, context: ChangeContext, change: RevokeKey): Promise<RevokedAccess> {
  const row = await lockKey(db, change.id);
  if (row.revoked_at === null)
    requirePreconditions(change.preconditions, versioned(row), ({ id, revision }) => ({ id, revision }));
  const rows = change.recursive ? await withDescendants(db, row) : [row];
  const revoked = { keys: 0, shares: 0, tickets: 0 };
  for (const each of rows) {
    if (change.recursive) {
      revoked.shares += await revokeSharesOf(db, context, each.id, change);
      revoked.tickets += await deleteTicketsOf(db, context, each.id, change);
    }
    if (each.revoked_at !== null) continue;
    const next: KeyRow = { ...each, revision: each.revision + 1, revoked_at: context.now };
    await db.run("update keys set revoked_at = $2, revision = $3 where id = $1", [
      next.id,
      next.revoked_at,
      next.revision,
    ]);
    await append(db, context, "imagestore.key.revoked", next, change);
    revoked.keys += 1;
  }
  if (revoked.keys + revoked.shares > 0) await moveAccessRevision(db);
  return revoked;
}

/** Locks a key until the transaction ends, so a key that it makes meanwhile is seen by its revocation, or sees that. */
async function lockKey(db: Driver, id: string): Promise<KeyRow> {
  const row = await db.get<KeyRow>(`select ${KEY_COLUMNS} from keys where id = $1 for no key update`, [id]);
  if (row === undefined) throw new StoreError("key_not_found", "There is no such API key.");
  return row;
}

/** With the keys that it made, the keys that they made, and so on, whether revoked or not. */
async function withDescendants(db: Driver, root: KeyRow): Promise<readonly KeyRow[]> {
  const found = new Map([[root.id, root]]);
  const maker = (member: string) => db.memberOf("created_by", member);
  for (const { id } of found.values()) {
    const made = await db.all<KeyRow>(
      `select ${KEY_COLUMNS} from keys where ${maker("kind")} = 'key' and ${maker("id")} = $1 order by id for no key update`,
      [id],
    );
    for (const row of made) found.set(row.id, row);
  }
  return [...found.values()];
}

/**
 * A caller gives no more than it has, nor for longer. A key that asks is looked at as it is now.
 * @throws StoreError `forbidden`, `unauthorized`
 */
async function requireGivable(
  db: Driver,
  { now }: ChangeContext,
  { by, gives }: CreateKey | UpdateKey,
  given: { readonly grants: readonly GrantRecord[]; readonly expiresAt: number | null },
): Promise<void> {
  if (gives !== undefined) requireWithin(gives, given.grants);
  const maker = await lockMaker(db, now, by);
  if (maker === undefined) return;
  requireWithin(JSON.parse(maker.grants) as GrantRecord[], given.grants);
  if (maker.expires_at !== null && (given.expiresAt === null || given.expiresAt > maker.expires_at))
    throw new StoreError(
      "forbidden",
      `A key must not expire later than the key that makes it, at ${new Date(maker.expires_at).toISOString()}.`,
    );
}

function requireWithin(limit: readonly GrantRecord[], grants: readonly GrantRecord[]): void {
  const right = rightBeyond({ grants: limit.map(toGrant) }, grants.map(toGrant));
  if (right === undefined) return;
  throw forbidden(right, `A caller cannot give what it lacks: the right "${right}" on all of these albums.`);
}

type KeyEventType = Extract<AuditEventType, `imagestore.key.${string}`>;

async function announce(
  db: Driver,
  context: ChangeContext,
  type: KeyEventType,
  row: KeyRow,
  origin: Requested,
): Promise<Key> {
  const record = await append(db, context, type, row, origin);
  await moveAccessRevision(db);
  return record;
}

async function append(
  db: Driver,
  context: ChangeContext,
  type: KeyEventType,
  row: KeyRow,
  origin: Requested,
): Promise<Key> {
  const record = toKey(row);
  await appendAuditEvent(db, context, { type, subject: `keys/${row.id}`, record, origin });
  return record;
}

/** Its ETag does not depend on when it was changed. */
const versioned = (row: KeyRow) => ({ id: row.id, revision: row.revision, updated_at: row.created_at });

const HOUR = 3_600_000;

export async function noteUses(db: Driver, _context: ChangeContext, { uses }: NoteUses): Promise<null> {
  for (const { kind, id, count, at } of uses) {
    if (kind === "key")
      await db.run("update keys set used_at = $2 where id = $1 and (used_at is null or used_at < $2)", [
        id,
        at - (at % HOUR),
      ]);
    if (kind === "share")
      await db.run("update shares set uses = uses + $2, used_at = $3 where id = $1", [id, count, at]);
  }
  return null;
}
