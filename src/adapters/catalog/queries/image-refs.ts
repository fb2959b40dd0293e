import type { Visibility } from "../../../domain/visibility.ts";
import type { FoundImage, ImageRef } from "../../../ports/access.ts";
import type { Driver, SqlValue } from "../driver.ts";
import { IMAGE_COLUMNS, type ImageRow, toImage } from "../rows.ts";
import { andVisible, columnsOf } from "./visibility.ts";

/** A statement is prepared for each of these numbers of references; the last reference fills it up. */
const SIZES = [10, 100, 1000];

/** The images in the order of the references, with few statements. */
export async function findImages(
  db: Driver,
  refs: readonly ImageRef[],
  visibility: Visibility,
): Promise<readonly FoundImage[]> {
  const byId = refs.filter((ref) => "id" in ref).map(({ id }) => [id] as const);
  const byName = refs.filter((ref) => "name" in ref).map(({ album, name }) => [album, name] as const);
  const found = new Map([
    ...(await findAll(db, byId, BY_ID, visibility)),
    ...(await findAll(db, byName, BY_NAME, visibility)),
  ]);
  return refs.map((ref) => found.get("id" in ref ? keyOf([ref.id]) : keyOf([ref.album, ref.name])) ?? {});
}

/** How references are joined with albums `a` and images `i`. `and` is the condition that the album is visible. */
interface Join {
  readonly columns: readonly string[];
  readonly joins: (and: string) => string;
}

const BY_ID: Join = {
  columns: ["image_id"],
  joins: (and) => `left join images i on i.id = w.image_id
    left join albums a on a.id = i.album_id and a.state = 'live'${and}`,
};
const BY_NAME: Join = {
  columns: ["album", "name"],
  joins: (and) => `left join albums a on a.name = w.album and a.state = 'live'${and}
    left join images i on i.album_id = a.id and i.name = w.name`,
};

type FoundRow = Readonly<Record<string, string>> & {
  readonly found_album_id: string | null;
  readonly found_album: string | null;
  readonly found_public: number;
} & (ImageRow | { readonly id: null });

async function findAll(
  db: Driver,
  refs: readonly (readonly string[])[],
  { columns, joins }: Join,
  visibility: Visibility,
): Promise<ReadonlyMap<string, FoundImage>> {
  const found = new Map<string, FoundImage>();
  const largest = SIZES.at(-1) ?? 1;
  for (let at = 0; at < refs.length; at += largest) {
    const part = refs.slice(at, at + largest);
    const size = SIZES.find((each) => each >= part.length) ?? largest;
    const filled = Array.from({ length: size }, (_, index) => part[index] ?? part.at(-1) ?? []);
    const values: SqlValue[] = filled.flat();
    const rows = filled.map((ref, row) => `(${ref.map((_, index) => `$${row * ref.length + index + 1}`).join(", ")})`);
    const and = andVisible(visibility, columnsOf("a"), (value) => `$${values.push(value)}`);
    const sql = `with w (${columns.join(", ")}) as (values ${rows.join(", ")})
      select ${columns.map((column) => `w.${column} as wanted_${column}`).join(", ")},
        a.id as found_album_id, a.name as found_album, a.public as found_public, ${IMAGE_COLUMNS}
      from w ${joins(and)}`;
    for (const row of await db.all<FoundRow>(sql, values))
      found.set(keyOf(columns.map((column) => row[`wanted_${column}`] ?? "")), toFound(row));
  }
  return found;
}

function toFound(row: FoundRow): FoundImage {
  if (row.found_album_id === null || row.found_album === null) return {};
  const visibility = row.found_public === 0 ? "private" : "public";
  const album = { id: row.found_album_id, name: row.found_album, visibility } as const;
  return row.id === null ? { album } : { album, image: toImage(row, album.name) };
}

const keyOf = (parts: readonly string[]): string => JSON.stringify(parts);
