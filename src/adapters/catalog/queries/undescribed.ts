import type { UndescribedImage } from "../../../ports.ts";
import type { Driver } from "../driver.ts";
import { type InfoColumns, toInfo } from "../rows.ts";
import { WINDOW } from "./listing.ts";

interface UndescribedRow extends InfoColumns {
  readonly id: string;
  readonly key: string;
  readonly location: string;
  readonly size: number;
}

/** Of hexadecimal digits and hyphens, in every collation. */
const ABOVE_ALL_IDS = "g";

/** An image's id begins with the time when it was made, so their order is that of age. */
export async function undescribedImages(
  db: Driver,
  limit: number,
  before = ABOVE_ALL_IDS,
): Promise<readonly UndescribedImage[]> {
  const rows = await db.all<UndescribedRow>(
    `select newest.id, newest.size, newest.content_type, newest.width, newest.height, newest.frames, newest.has_alpha,
       newest.orientation, b.key, b.location
     from (select id, album_id, size, content_type, width, height, frames, has_alpha, orientation from images
           where described = 0 and taken_at is null and id < $1 order by id desc limit ${WINDOW}) newest
       cross join albums a cross join blobs b
     where a.id = newest.album_id and a.state = 'live' and b.image_id = newest.id and b.state = 'live'
     order by newest.id desc limit $2`,
    [before, limit],
  );
  return rows.map((row) => ({
    imageId: row.id,
    blobKey: row.key,
    location: row.location,
    size: row.size,
    info: toInfo(row),
  }));
}
