import type { CreateSession, DeleteSession, PruneSessions } from "../../../domain/access-changes.ts";
import type { Session, SessionOrigin } from "../../../domain/session.ts";
import type { Driver } from "../driver.ts";
import { moveAccessRevision } from "./access-revision.ts";
import type { ChangeContext } from "./context.ts";

export async function createSession(db: Driver, { now }: ChangeContext, change: CreateSession): Promise<Session> {
  const { id, sha256, origin, life, endsBy, replaces } = change;
  const expiresAt = Math.min(now + life, endsBy ?? Infinity);
  const [baseId, caller] = columnsOf(origin);
  await db.run(
    `insert into sessions (id, sha256, base_kind, base_id, caller, created_at, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7)`,
    [id, sha256, origin.kind, baseId, caller, now, expiresAt],
  );
  if (replaces !== undefined) await removeSession(db, replaces);
  await endOldest(db, origin.kind, baseId, id);
  return { id, expiresAt: new Date(expiresAt).toISOString() };
}

/** Of one key, token or share. Anyone with a share link can sign in, and nothing else limits how often. */
const MAX_SESSIONS = 1000;

/**
 * Never the new one, which is not the newest by the clock of another node. The access revision stays: it is moved for what must
 * end at once, and each of these sign-ins would empty the memory of all nodes.
 */
const endOldest = (db: Driver, kind: string, baseId: string | null, newId: string) =>
  db.run(
    `delete from sessions where id in (
       select id from sessions where base_kind = $1 and base_id = $2 and id <> $3 order by created_at desc, id desc
       limit 1000 offset ${MAX_SESSIONS - 1})`,
    [kind, baseId, newId],
  );

function columnsOf(origin: SessionOrigin): readonly [baseId: string | null, caller: string | null] {
  // Nodes of an earlier version look for the grants.
  if (origin.kind === "token") return [origin.id, JSON.stringify({ ...origin, grants: [] })];
  if (origin.kind === "configured") return [origin.key.name, JSON.stringify(origin.key)];
  return [origin.id, null];
}

export async function deleteSession(db: Driver, _context: ChangeContext, { id }: DeleteSession): Promise<null> {
  await removeSession(db, id);
  return null;
}

async function removeSession(db: Driver, id: string): Promise<void> {
  if ((await db.run("delete from sessions where id = $1", [id])) > 0) await moveAccessRevision(db);
}

/** Expired ones give nothing, whether a node remembers them or not. */
export async function pruneSessions(db: Driver, { now }: ChangeContext, { limit }: PruneSessions) {
  const pruned = await db.run(
    "delete from sessions where id in (select id from sessions where expires_at <= $1 order by expires_at limit $2)",
    [now, limit],
  );
  return { pruned };
}
