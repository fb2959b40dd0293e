import type { ContentType } from "../../../domain/formats.ts";
import type { FilesQuery, ImageFile } from "../../../ports.ts";
import type { Driver } from "../driver.ts";

interface FileRow {
  readonly id: string;
  readonly name: string;
  readonly content_type: ContentType;
  readonly size: number;
  readonly sha256: string;
  readonly created_at: number;
  readonly key: string;
  readonly location: string;
  readonly crc32: number | null;
}

/** The expression of the time keeps the engine from using another index and sorting. */
const SELECT = `select i.id, i.name, i.content_type, i.size, i.sha256, i.created_at, b.key, b.location, b.crc32
  from images i cross join blobs b
  where i.album_id = $1 and i.name > $2 and i.created_at + 0 <= $3 and b.image_id = i.id and b.state = 'live'
    and exists (select 1 from albums a where a.id = $1 and a.state = 'live')
  order by i.name limit $4`;

export async function imageFiles(db: Driver, query: FilesQuery): Promise<readonly ImageFile[]> {
  const { albumId, after, createdUntil, limit } = query;
  const rows = await db.all<FileRow>(SELECT, [albumId, after, createdUntil, limit]);
  return rows.map(({ id, name, content_type, size, sha256, created_at, key, location, crc32 }) => ({
    id,
    name,
    contentType: content_type,
    size,
    sha256,
    createdAt: created_at,
    blobKey: key,
    location,
    crc32,
  }));
}

export async function newestImageAt(db: Driver, albumId: string): Promise<number> {
  const sql = "select max(created_at) as newest from images where album_id = $1";
  return (await db.get<{ readonly newest: number | null }>(sql, [albumId]))?.newest ?? 0;
}
