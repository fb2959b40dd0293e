import type { Credential } from "../../../domain/credential.ts";
import type { Actor } from "../../../domain/event.ts";
import type { Page } from "../../../domain/page.ts";
import { type Share, type ShareRight, shareCaller } from "../../../domain/share.ts";
import type { ShareQuery } from "../../../ports/access.ts";
import type { Driver, SqlValue } from "../driver.ts";
import { logState } from "./events.ts";

export interface ShareRow {
  readonly id: string;
  readonly sha256: string;
  readonly album_id: string;
  readonly label: string | null;
  readonly rights: string;
  readonly originals: number;
  readonly uses: number;
  readonly created_at: number;
  readonly created_by: string;
  readonly expires_at: number | null;
  readonly revoked_at: number | null;
  readonly used_at: number | null;
}

export const SHARE_COLUMNS = [
  "id",
  "sha256",
  "album_id",
  "label",
  "rights",
  "originals",
  "uses",
  "created_at",
  "created_by",
  "expires_at",
  "revoked_at",
  "used_at",
] as const satisfies readonly (keyof ShareRow)[];
const SELECT = `select ${SHARE_COLUMNS.map((column) => `s.${column}`).join(", ")} from shares s`;

export const toShare = (row: ShareRow): Share => ({
  id: row.id,
  albumId: row.album_id,
  label: row.label,
  rights: JSON.parse(row.rights) as ShareRight[],
  originals: row.originals === 1,
  createdAt: new Date(row.created_at).toISOString(),
  createdBy: JSON.parse(row.created_by) as Actor,
  expiresAt: toTime(row.expires_at),
  uses: row.uses,
  lastUsedAt: toTime(row.used_at),
});

const toTime = (milliseconds: number | null): string | null =>
  milliseconds === null ? null : new Date(milliseconds).toISOString();

/** Undefined when it was revoked. */
export async function findShare(db: Driver, id: string): Promise<Share | undefined> {
  const row = await db.get<ShareRow>(`${SELECT} where s.id = $1 and s.revoked_at is null`, [id]);
  return row && toShare(row);
}

export async function listShares(db: Driver, { albumId, limit, start }: ShareQuery): Promise<Page<Share>> {
  const { epoch, lastSequence } = await logState(db);
  const watermark = start?.watermark ?? { epoch, seq: lastSequence };
  const values: SqlValue[] = [albumId, limit + 1];
  if (start !== undefined) values.push(start.after.key, start.after.id);
  const after = start === undefined ? "" : " and (s.created_at, s.id) > ($3, $4)";
  const rows = await db.all<ShareRow>(
    `${SELECT} where s.album_id = $1 and s.revoked_at is null${after} order by s.created_at, s.id limit $2`,
    values,
  );
  const items = rows.slice(0, limit);
  const last = rows.length > limit ? items.at(-1) : undefined;
  return {
    items: items.map(toShare),
    next: last && { after: { key: last.created_at, id: last.id }, watermark },
    watermark,
  };
}

/** Undefined when its album is not live: a share of an album that is being deleted gives nothing more. */
export async function findShareCredential(db: Driver, id: string): Promise<Credential | undefined> {
  const row = await db.get<ShareRow>(
    `${SELECT} join albums a on a.id = s.album_id and a.state = 'live' where s.id = $1`,
    [id],
  );
  if (row === undefined) return undefined;
  const share = toShare(row);
  const chargedTo = await keyOf(db, share.createdBy);
  return {
    kind: "share",
    id,
    sha256: row.sha256,
    caller: { ...shareCaller(share), ...(chargedTo === undefined ? {} : { chargedTo }) },
    expiresAt: row.expires_at,
    isRevoked: row.revoked_at !== null,
  };
}

/** The id of the key that an actor came with; undefined without one, and for one of the configuration. */
async function keyOf(db: Driver, { kind, id }: Actor): Promise<string | undefined> {
  if (kind !== "key" || id === null) return undefined;
  return (await db.get<{ id: string }>("select id from keys where id = $1", [id]))?.id;
}
