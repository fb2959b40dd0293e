import { takenAtTime } from "../../../domain/image.ts";
import type { AlignRecords } from "../../../domain/maintenance.ts";
import type { Driver } from "../driver.ts";
import type { ChangeContext } from "./context.ts";

export async function alignRecords(
  db: Driver,
  _context: ChangeContext,
  { albums, images }: AlignRecords,
): Promise<null> {
  for (const { id, ...record } of albums)
    await db.run("update albums set revision = $2, created_at = $3, updated_at = $4 where id = $1", [
      id,
      ...versionOf(record),
    ]);
  for (const { id, sha256, ...record } of images) {
    await db.run("update images set revision = $2, created_at = $3, updated_at = $4 where id = $1", [
      id,
      ...versionOf(record),
    ]);
    // Of these bytes only.
    await db.run(
      `update images set described = $3, placeholder = $4, dominant_colour = $5, exif = $6, taken_at = $7, sound = $8,
         unsound_reason = $9
       where id = $1 and sha256 = $2`,
      [id, sha256, ...descriptionOf(record)],
    );
  }
  return null;
}

const versionOf = ({ revision, createdAt, updatedAt }: Omit<AlignRecords["albums"][number], "id">) => [
  revision,
  Date.parse(createdAt),
  Date.parse(updatedAt),
];

function descriptionOf(record: Omit<AlignRecords["images"][number], "id" | "sha256">) {
  const { described, placeholder, dominantColour, exif, decodable, decodeError } = record;
  return [
    described ? 1 : 0,
    placeholder,
    dominantColour,
    exif === null ? null : JSON.stringify(exif),
    takenAtTime(exif),
    decodable === null ? null : Number(decodable),
    decodeError,
  ];
}
