import { Database } from "bun:sqlite";
import type { LogPosition } from "../../domain/event.ts";
import { openConnection } from "./sqlite-connection.ts";

/** The bytes of an image as a snapshot knows them. Sizes in bytes. */
export interface SnapshotBlob {
  readonly key: string;
  readonly location: string;
  readonly size: number;
  readonly sha256: string;
  /** Whose they are, as `album/name`. */
  readonly image: string;
}

/** A catalog as it was at one moment, in a file that nobody writes to. */
export interface Snapshot extends Disposable {
  readonly storeId: string;
  /** The head of the log. */
  readonly position: LogPosition;
  readonly totals: { readonly images: number; readonly bytes: number };
  /** Those whose digest begins with `prefix`, in its order: of images in live albums, since the others are on their way out. */
  blobs(prefix: string): readonly SnapshotBlob[];
}

/** What a copy of the store needs: neither condemned blobs nor those of an album that is being deleted. */
export const NEEDED_BLOBS = `blobs b
  join images i on i.id = b.image_id
  join albums a on a.id = i.album_id and a.state = 'live'
  where b.state = 'live'`;

/**
 * Copies a catalog, also one that is being written to, as it is at one moment. Holds this thread up for as long as that
 * takes.
 * @param target does not exist, or is empty
 */
export function writeSnapshot(path: string, target: string): void {
  const db = openConnection(path, { readonly: true });
  try {
    db.run("vacuum into ?1", [target]);
  } finally {
    db.close();
  }
}

export function openSnapshot(path: string): Snapshot {
  const db = new Database(path, { readonly: true, strict: true });
  try {
    const { storeId } = db.query("select store_id as storeId from store").get() as { storeId: string };
    const position = db.query("select epoch, head as seq from log_state").get() as LogPosition;
    const totals = db
      .query(`select count(*) as images, coalesce(sum(b.size), 0) as bytes from ${NEEDED_BLOBS}`)
      .get() as Snapshot["totals"];
    const select = db.query<SnapshotBlob, [string, string]>(
      `select b.key, b.location, b.size, b.sha256, a.name || '/' || i.name as image
       from ${NEEDED_BLOBS} and b.key >= ?1 and b.key < ?2 order by b.key`,
    );
    return {
      storeId,
      position,
      totals,
      // A key begins with its digest, and "g" comes after every hex digit.
      blobs: (prefix) => select.all(prefix, `${prefix}g`),
      [Symbol.dispose]: () => db.close(),
    };
  } catch (error) {
    db.close();
    throw error;
  }
}
