import type { Database } from "bun:sqlite";

/** Images are found by their digest through the keys of their blobs, which begin with it. */
export function findByKey(db: Database): void {
  db.run("drop index images_sha256");
}
