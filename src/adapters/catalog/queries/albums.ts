import type { Album } from "../../../domain/album.ts";
import type { AlbumOrderBy, Page, PageQuery } from "../../../domain/page.ts";
import type { Totals } from "../../../ports.ts";
import type { Driver } from "../driver.ts";
import { ALBUM_COLUMNS, type AlbumRow, toAlbum } from "../rows.ts";
import {
  afterPrefix,
  bind,
  createListing,
  type Listing,
  limitWindow,
  orderColumn,
  prefixRange,
  selectRows,
  toPage,
  walkFrom,
  watermarkOf,
} from "./listing.ts";

export async function findAlbum(db: Driver, name: string): Promise<Album | undefined> {
  const row = await db.get<AlbumRow>(`select ${ALBUM_COLUMNS} from albums where name = $1 and state = 'live'`, [name]);
  return row && toAlbum(row);
}

export async function listAlbums(db: Driver, query: PageQuery<AlbumOrderBy>): Promise<Page<Album>> {
  const watermark = await watermarkOf(db, query);
  const listing = createListing("albums a", "a", query.orderBy, { uniqueNames: true });
  listing.conditions.push("a.state = 'live'");
  const { q } = query;
  const byName = orderColumn(query.orderBy) === "name";
  walkFrom(listing, query.start?.after, byName && q ? prefixRange(q) : undefined);

  const filtered = q !== undefined && q !== "" && !byName;
  const windowEnd = filtered ? await limitWindow(db, listing) : undefined;
  if (filtered) addPrefixFilter(listing, "a.name || ''", q);

  const rows = await selectRows<AlbumRow>(db, listing, ALBUM_COLUMNS, listing.table, query.limit);
  return toPage(rows, query, watermark, windowEnd, toAlbum);
}

/** For where the order is another; `column` is an expression, so that the order's index is kept to. */
export function addPrefixFilter(listing: Listing, column: string, prefix: string): void {
  listing.conditions.push(`${column} >= ${bind(listing, prefix)}`);
  const end = afterPrefix(prefix);
  if (end !== null) listing.conditions.push(`${column} < ${bind(listing, end)}`);
}

export async function albumsBeingDeleted(db: Driver, limit: number): Promise<readonly string[]> {
  const rows = await db.all<{ id: string }>("select id from albums where state = 'deleting' order by id limit $1", [
    limit,
  ]);
  return rows.map((row) => row.id);
}

export async function totals(db: Driver): Promise<Totals> {
  const row = await db.get<Totals>(
    `select count(*) as albums, coalesce(sum(image_count), 0) as images, coalesce(sum(byte_count), 0) as bytes
     from albums where state = 'live'`,
  );
  return row as Totals;
}
