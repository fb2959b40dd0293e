import type { DescribeBacklogState, UndescribedImage, UndescribedQuery } from "../../../ports.ts";
import type { Driver } from "../driver.ts";
import { type InfoColumns, toInfo } from "../rows.ts";
import { WINDOW } from "./ranges.ts";

interface UndescribedRow extends InfoColumns {
  readonly id: string;
  readonly key: string;
  readonly location: string;
  readonly size: number;
}

/** Bounds for ids of hexadecimal digits and hyphens, valid in every collation. */
const BELOW_ALL_IDS = "";
const ABOVE_ALL_IDS = "g";
const ID_LENGTH = 36;

/** An id begins with the time of the upload, so the order of ids is the order of age. */
export async function undescribedImages(
  db: Driver,
  { limit, order, before = ABOVE_ALL_IDS, after = BELOW_ALL_IDS, share }: UndescribedQuery,
): Promise<readonly UndescribedImage[]> {
  const direction = order === "newest" ? "desc" : "asc";
  // The digits come from this program and not from a request.
  const isMine = share === undefined ? "" : `and substr(id, ${ID_LENGTH}, 1) in ('${share.join("', '")}')`;
  const rows = await db.all<UndescribedRow>(
    `select found.id, found.size, found.content_type, found.width, found.height, found.frames, found.has_alpha,
       found.orientation, b.key, b.location
     from (select id, album_id, size, content_type, width, height, frames, has_alpha, orientation from images
           where described = 0 and taken_at is null and id < $1 and id > $2 ${isMine}
           order by id ${direction} limit ${WINDOW}) found
       cross join albums a cross join blobs b
     where a.id = found.album_id and a.state = 'live' and b.image_id = found.id and b.state = 'live'
     order by found.id ${direction} limit $3`,
    [before, after, limit],
  );
  return rows.map((row) => ({
    imageId: row.id,
    blobKey: row.key,
    location: row.location,
    size: row.size,
    info: toInfo(row),
  }));
}

/** A backlog is counted up to this, since a scrape of metrics must not read a whole store that was never described. */
const MAX_COUNTED = 100_000;

export async function describeBacklog(db: Driver): Promise<DescribeBacklogState> {
  const waiting = "from images where described = 0 and taken_at is null";
  const [counted, oldest] = await Promise.all([
    db.get<{ images: number }>(`select count(*) as images from (select 1 ${waiting} limit ${MAX_COUNTED}) counted`),
    db.get<{ id: string }>(`select id ${waiting} order by id limit 1`),
  ]);
  return { images: counted?.images ?? 0, oldestCreatedAt: oldest === undefined ? null : timeOf(oldest.id) };
}

/** RFC 9562, 5.7: the first 48 bits are milliseconds since 1970. */
const timeOf = (id: string): number => Number.parseInt(id.replace("-", "").slice(0, 12), 16);
