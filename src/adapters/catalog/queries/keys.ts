import type { Actor } from "../../../domain/event.ts";
import type { GrantRecord } from "../../../domain/grant.ts";
import type { Key } from "../../../domain/key.ts";
import type { Page } from "../../../domain/page.ts";
import type { KeyQuery } from "../../../ports/access.ts";
import type { Driver, SqlValue } from "../driver.ts";
import { logState } from "./events.ts";

export interface KeyRow {
  readonly id: string;
  readonly name: string;
  readonly grants: string;
  readonly revision: number;
  readonly created_at: number;
  readonly created_by: string;
  readonly expires_at: number | null;
  readonly revoked_at: number | null;
  readonly used_at: number | null;
}

export const KEY_COLUMNS = "id, name, grants, revision, created_at, created_by, expires_at, revoked_at, used_at";

export const toKey = (row: KeyRow): Key => ({
  id: row.id,
  name: row.name,
  grants: JSON.parse(row.grants) as GrantRecord[],
  revision: row.revision,
  createdAt: new Date(row.created_at).toISOString(),
  createdBy: JSON.parse(row.created_by) as Actor,
  expiresAt: toTime(row.expires_at),
  lastUsedAt: toTime(row.used_at),
  revokedAt: toTime(row.revoked_at),
});

const toTime = (milliseconds: number | null): string | null =>
  milliseconds === null ? null : new Date(milliseconds).toISOString();

export async function findKey(db: Driver, id: string): Promise<Key | undefined> {
  const row = await db.get<KeyRow>(`select ${KEY_COLUMNS} from keys where id = $1`, [id]);
  return row && toKey(row);
}

export async function listKeys(db: Driver, { includeRevoked, limit, start }: KeyQuery): Promise<Page<Key>> {
  const { epoch, lastSequence } = await logState(db);
  const watermark = start?.watermark ?? { epoch, seq: lastSequence };
  const values: SqlValue[] = [limit + 1];
  const conditions = includeRevoked ? ["1 = 1"] : ["revoked_at is null"];
  if (start !== undefined) {
    values.push(start.after.key, start.after.id);
    conditions.push("(created_at, id) > ($2, $3)");
  }
  const rows = await db.all<KeyRow>(
    `select ${KEY_COLUMNS} from keys where ${conditions.join(" and ")} order by created_at, id limit $1`,
    values,
  );
  const items = rows.slice(0, limit);
  const last = rows.length > limit ? items.at(-1) : undefined;
  return {
    items: items.map(toKey),
    next: last && { after: { key: last.created_at, id: last.id }, watermark },
    watermark,
  };
}
