import type { CreateShare, RevokeShare } from "../../../domain/access-changes.ts";
import type { Requested } from "../../../domain/change.ts";
import { albumNotFound, shareNotFound } from "../../../domain/errors.ts";
import { makerOf, STORE } from "../../../domain/event.ts";
import type { Share } from "../../../domain/share.ts";
import { includesAlbum } from "../../../domain/visibility.ts";
import type { Driver } from "../driver.ts";
import { SHARE_COLUMNS, type ShareRow, toShare } from "../queries/shares.ts";
import { moveAccessRevision } from "./access-revision.ts";
import { lockAlbum } from "./albums.ts";
import { appendAuditEvent } from "./append-event.ts";
import type { ChangeContext } from "./context.ts";
import { lockMaker } from "./lock-maker.ts";

const INSERT = `insert into shares (${SHARE_COLUMNS.join(", ")})
  values (${SHARE_COLUMNS.map((_, index) => `$${index + 1}`).join(", ")})`;

export async function createShare(db: Driver, context: ChangeContext, change: CreateShare): Promise<Share> {
  const album = await lockAlbum(db, change.albumId, change.by);
  // A rename may have taken it out of reach of one of the rights that are given.
  if (!change.within.every((albums) => includesAlbum(albums, album))) throw albumNotFound();
  await lockMaker(db, context.now, change.by);
  const row: ShareRow = {
    id: change.id,
    sha256: change.sha256,
    album_id: album.id,
    label: change.label,
    rights: JSON.stringify(change.rights),
    originals: change.originals ? 1 : 0,
    uses: 0,
    created_at: context.now,
    created_by: JSON.stringify(makerOf(change.by?.actor ?? STORE)),
    expires_at: change.expiresAt,
    revoked_at: null,
    used_at: null,
  };
  await db.run(
    INSERT,
    SHARE_COLUMNS.map((column) => row[column]),
  );
  return announce(db, context, "imagestore.share.created", row, change);
}

export async function revokeShare(db: Driver, context: ChangeContext, change: RevokeShare): Promise<null> {
  const { id, albumId } = change;
  await lockAlbum(db, albumId, change.by);
  const row = await db.get<ShareRow>(
    `select ${SHARE_COLUMNS.join(", ")} from shares where id = $1 and album_id = $2 and revoked_at is null for no key update`,
    [id, albumId],
  );
  if (row === undefined) throw shareNotFound();
  await end(db, context, row, change);
  await moveAccessRevision(db);
  return null;
}

/**
 * Revokes the shares that were made with the key, or with its sessions. The key must be locked. The caller moves the access
 * revision.
 */
export async function revokeSharesOf(db: Driver, context: ChangeContext, key: string, origin: Requested) {
  const maker = (member: string) => db.memberOf("created_by", member);
  const rows = await db.all<ShareRow>(
    `select ${SHARE_COLUMNS.join(", ")} from shares
     where ${maker("kind")} = 'key' and ${maker("id")} = $1 and revoked_at is null order by id for no key update`,
    [key],
  );
  for (const row of rows) await end(db, context, row, origin);
  return rows.length;
}

async function end(db: Driver, context: ChangeContext, row: ShareRow, origin: Requested): Promise<void> {
  await db.run("update shares set revoked_at = $2 where id = $1", [row.id, context.now]);
  await announce(db, context, "imagestore.share.revoked", { ...row, revoked_at: context.now }, origin);
}

/** The shares of an album go with its row. Nodes that remember one of them must ask again. */
export const endSharesOf = (db: Driver, albumId: string) =>
  db.run(
    `update access_state set revision = revision + 1
     where id = 1 and exists (select 1 from shares where album_id = $1)`,
    [albumId],
  );

async function announce(
  db: Driver,
  context: ChangeContext,
  type: "imagestore.share.created" | "imagestore.share.revoked",
  row: ShareRow,
  origin: Requested,
): Promise<Share> {
  const record = toShare(row);
  const subject = `albums/${row.album_id}/shares/${row.id}`;
  await appendAuditEvent(db, context, { type, subject, record, origin, albumId: row.album_id });
  return record;
}
