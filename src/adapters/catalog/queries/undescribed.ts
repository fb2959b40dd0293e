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

/** An image's id begins with the time when it was made, so their order is that of age. */
export async function undescribedImages(db: Driver, limit: number, after = ""): Promise<readonly UndescribedImage[]> {
  const rows = await db.all<UndescribedRow>(
    `select oldest.id, oldest.size, oldest.content_type, oldest.width, oldest.height, oldest.frames, oldest.has_alpha,
       oldest.orientation, b.key, b.location
     from (select id, album_id, size, content_type, width, height, frames, has_alpha, orientation from images
           where described = 0 and taken_at is null and id > $1 order by id limit ${WINDOW}) oldest
       cross join albums a cross join blobs b
     where a.id = oldest.album_id and a.state = 'live' and b.image_id = oldest.id and b.state = 'live'
     order by oldest.id limit $2`,
    [after, limit],
  );
  return rows.map((row) => ({
    imageId: row.id,
    blobKey: row.key,
    location: row.location,
    size: row.size,
    info: toInfo(row),
  }));
}
