import type { Requested, SetQuota } from "../../../domain/change.ts";
import { StoreError } from "../../../domain/errors.ts";
import type { RecountUsage } from "../../../domain/maintenance.ts";
import {
  keyScope,
  NOTHING,
  type Quota,
  type QuotaLimits,
  type QuotaScope,
  quotaNotFound,
} from "../../../domain/quota.ts";
import type { Driver } from "../driver.ts";
import { countedUsage, idOf, isAlbum, miscounts, quotasOf } from "../queries/quotas.ts";
import type { QuotaRow } from "../rows.ts";
import { lockAlbum } from "./albums.ts";
import { appendAuditEvent } from "./append-event.ts";
import type { ChangeContext } from "./context.ts";
import { insertShards, spreadRoom } from "./quota-shards.ts";

/** On PostgreSQL the transaction waits for those that have begun to count without this quota, and keeps others from beginning. */
export async function setQuota(db: Driver, context: ChangeContext, change: SetQuota): Promise<Quota | null> {
  const { scope, limits } = change;
  const quota = isAlbum(scope)
    ? await setAlbumQuota(db, scope, limits, change)
    : await setCountedQuota(db, context, scope, limits);
  await announce(db, context, quota ?? { scope, maxBytes: null, maxImages: null }, change);
  return quota;
}

/** Of a key that is made in this transaction, so no other change can have used it. */
export async function insertKeyQuota(
  db: Driver,
  context: ChangeContext,
  keyId: string,
  limits: QuotaLimits,
  origin: Requested,
): Promise<void> {
  await announce(
    db,
    context,
    await insertQuota(db, context, { scope: keyScope(keyId), ...limits, used: NOTHING }),
    origin,
  );
}

const announce = (
  db: Driver,
  context: ChangeContext,
  { scope, maxBytes, maxImages }: QuotaLimits & Pick<Quota, "scope">,
  origin: Requested,
): Promise<void> =>
  appendAuditEvent(db, context, {
    type: "imagestore.quota.updated",
    subject: `quotas/${scope}`,
    ...(isAlbum(scope) ? { albumId: idOf(scope) } : {}),
    record: { scope, maxBytes, maxImages },
    origin,
  });

async function setAlbumQuota(
  db: Driver,
  scope: QuotaScope,
  limits: QuotaLimits | null,
  { by }: SetQuota,
): Promise<Quota | null> {
  const album = await lockAlbum(db, idOf(scope), by);
  if (limits === null && album.max_bytes === null && album.max_images === null) throw quotaNotFound();
  const { maxBytes = null, maxImages = null } = limits ?? {};
  await db.run("update albums set max_bytes = $2, max_images = $3 where id = $1", [album.id, maxBytes, maxImages]);
  return limits && { scope, ...limits, used: { images: album.image_count, bytes: album.byte_count } };
}

async function setCountedQuota(
  db: Driver,
  context: ChangeContext,
  scope: QuotaScope,
  limits: QuotaLimits | null,
): Promise<Quota | null> {
  const [quota] = await quotasOf(db, [scope]);
  if (limits === null) {
    if (quota === undefined) throw quotaNotFound();
    await db.run("delete from quotas where scope = $1", [scope]);
    return null;
  }
  const { maxBytes, maxImages } = limits;
  if (quota !== undefined) {
    await db.run("update quotas set max_bytes = $2, max_images = $3 where scope = $1", [scope, maxBytes, maxImages]);
    await spreadRoom(db, context.shards, scope);
    return { ...quota, ...limits };
  }
  await requireKey(db, scope);
  return insertQuota(db, context, { scope, ...limits, used: await countedUsage(db, scope) });
}

async function insertQuota(db: Driver, context: ChangeContext, quota: Quota): Promise<Quota> {
  context.limited = true;
  await insertShards(db, context.shards, quota);
  return quota;
}

async function requireKey(db: Driver, scope: QuotaScope): Promise<void> {
  if (scope === "store") return;
  const key = await db.get("select 1 from keys where id = $1 and revoked_at is null", [idOf(scope)]);
  if (key === undefined) throw new StoreError("key_not_found", "There is no such API key.");
}

/** The transaction begins like that of {@link setQuota}, so no other change is counting. */
export async function recountUsage(db: Driver, { shards }: ChangeContext, _change: RecountUsage) {
  const wrong = await miscounts(db);
  for (const { scope, recorded, counted } of wrong) {
    if (isAlbum(scope)) await db.run(CORRECT_ALBUM, [idOf(scope), counted.images, counted.bytes]);
    else await db.run(CORRECT_QUOTA, [scope, counted.images - recorded.images, counted.bytes - recorded.bytes]);
  }
  const quotas = await db.all<Pick<QuotaRow, "scope">>("select distinct scope from quotas order by scope");
  for (const { scope } of quotas) await spreadRoom(db, shards, scope);
  return { corrected: wrong.length };
}

const CORRECT_ALBUM = "update albums set image_count = $2, byte_count = $3 where id = $1";
const CORRECT_QUOTA = "update quotas set images = images + $2, bytes = bytes + $3 where scope = $1 and shard = 0";
