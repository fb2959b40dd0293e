import type { Database } from "bun:sqlite";

/** CRC-32 of the bytes, for ZIP archives; null until it is computed. */
const SCHEMA = "alter table blobs add column crc32 integer";

export function checksums(db: Database): void {
  db.run(SCHEMA);
}
