import type { Page } from "../../../domain/page.ts";
import {
  albumScope,
  type Miscount,
  type NamedQuota,
  NOTHING,
  type Quota,
  type QuotaScope,
  sum,
  type Usage,
} from "../../../domain/quota.ts";
import type { QuotaQuery } from "../../../ports/access.ts";
import type { Driver } from "../driver.ts";
import { type QuotaRow, toQuota } from "../rows.ts";
import { logState } from "./events.ts";

const ALBUM_QUOTAS = `select 'albums/' || id as scope, max_bytes, max_images, image_count as images, byte_count as bytes, name as album
  from albums where state = 'live' and (max_bytes is not null or max_images is not null)`;
/** All shards of a quota have the same limits. */
const otherQuotas = (condition = "true") =>
  `select scope, max_bytes, max_images, sum(images) as images, sum(bytes) as bytes, null as album
   from quotas where ${condition} group by scope, max_bytes, max_images`;

/** Those of the store, of the key and of the album that are set. */
export async function quotasOf(db: Driver, scopes: readonly QuotaScope[]): Promise<readonly Quota[]> {
  const ids = scopes.filter(isAlbum).map(idOf);
  const others = scopes.filter((scope) => !isAlbum(scope));
  const bind = placeholders();
  const rows = await db.all<QuotaRow>(
    `${ALBUM_QUOTAS} and id in (${bind(ids)}) union all ${otherQuotas(`scope in (${bind(others)})`)}`,
    [...ids, ...others],
  );
  return rows.map(toQuota).toSorted((one, other) => (one.scope < other.scope ? -1 : 1));
}

export const isAlbum = (scope: QuotaScope): boolean => scope.startsWith("albums/");
export const idOf = (scope: QuotaScope): string => scope.slice(scope.indexOf("/") + 1);

/** Numbers the values of several lists. An empty list is `null`, which nothing is in. */
function placeholders() {
  let count = 0;
  return (values: readonly unknown[]) => values.map(() => `$${++count}`).join(", ") || "null";
}

/** In the order of their scopes. */
export async function listQuotas(db: Driver, { start, limit }: QuotaQuery): Promise<Page<NamedQuota>> {
  const { epoch, lastSequence } = await logState(db);
  const watermark = start?.watermark ?? { epoch, seq: lastSequence };
  const rows = await db.all<QuotaRow & Pick<NamedQuota, "name">>(LIST, [start?.after.key ?? "", limit + 1]);
  const items = rows.slice(0, limit).map((row) => ({ ...toQuota(row), name: row.name }));
  const last = rows.length > limit ? items.at(-1) : undefined;
  return { items, next: last && { after: { key: last.scope, id: "" }, watermark }, watermark };
}

const LIST = `select q.*, coalesce(q.album, k.name) as name from (${ALBUM_QUOTAS} union all ${otherQuotas()}) q
  left join keys k on k.id = substr(q.scope, 6)
  where q.scope > $1 order by q.scope limit $2`;

export const anyQuota = async (db: Driver): Promise<boolean> =>
  (await db.get(`select 1 from (${ALBUM_QUOTAS}) a union all select 1 from quotas limit 1`)) !== undefined;

/** From the images themselves. */
export async function countedUsage(db: Driver, scope: QuotaScope): Promise<Usage> {
  if (scope === "store") return sum(await usageOf(db, LIVE, []), await usageOf(db, BEING_DELETED, []));
  return usageOf(db, isAlbum(scope) ? OF_ALBUM : OF_KEY, [idOf(scope)]);
}

const USAGE = "select count(*) as images, coalesce(sum(size), 0) as bytes from images";
const OF_ALBUM = `${USAGE} where album_id = $1`;
const OF_KEY = `${USAGE} where charged_to = $1`;
/** Albums keep counters. */
const LIVE = `select coalesce(sum(image_count), 0) as images, coalesce(sum(byte_count), 0) as bytes
  from albums where state = 'live'`;
/** Their counters stay as they were. */
const BEING_DELETED = `${USAGE} where album_id in (select id from albums where state = 'deleting')`;

const usageOf = async (db: Driver, sql: string, values: readonly string[]): Promise<Usage> =>
  (await db.get<Usage>(sql, values)) ?? NOTHING;

/** Counters of live albums and quotas that do not agree with the images. It reads every image. */
export async function miscounts(db: Driver): Promise<readonly Miscount[]> {
  const albums = await db.all<
    { id: string; name: string } & Record<"images" | "bytes" | "image_count" | "byte_count", number>
  >(
    `select a.id, a.name, a.image_count, a.byte_count, c.images, c.bytes
     from albums a cross join (
       select o.id as album_id, count(i.id) as images, coalesce(sum(i.size), 0) as bytes
       from albums o left join images i on i.album_id = o.id where o.state = 'live' group by o.id
     ) c
     where a.id = c.album_id and (a.image_count <> c.images or a.byte_count <> c.bytes)`,
  );
  const wrong: Miscount[] = albums.map((row) => ({
    scope: albumScope(row.id),
    album: row.name,
    recorded: { images: row.image_count, bytes: row.byte_count },
    counted: { images: row.images, bytes: row.bytes },
  }));
  for (const quota of (await db.all<QuotaRow>(`${otherQuotas()} order by scope`)).map(toQuota)) {
    const counted = await recountedUsage(db, quota.scope);
    if (!Bun.deepEquals(counted, quota.used)) {
      wrong.push({ scope: quota.scope, album: null, recorded: quota.used, counted });
    }
  }
  return wrong;
}

/** From the images, also where the counters of albums would do. */
const recountedUsage = (db: Driver, scope: QuotaScope): Promise<Usage> =>
  scope === "store" ? usageOf(db, USAGE, []) : countedUsage(db, scope);
