import { Database } from "bun:sqlite";
import { closeSync, openSync } from "node:fs";
import { connectThread } from "../../../concurrency/worker-thread.ts";
import type { LogPosition } from "../../../domain/event.ts";
import { openConnection } from "./connection.ts";

/** The blob of an image in a snapshot. Sizes are in bytes. */
export interface SnapshotBlob {
  readonly key: string;
  readonly location: string;
  readonly size: number;
  readonly sha256: string;
  /** The image, as `album/name`. */
  readonly image: string;
}

/** A catalog as of one moment, in a file that does not change. */
export interface Snapshot extends Disposable {
  readonly storeId: string;
  /** The end of the log. */
  readonly position: LogPosition;
  readonly totals: { readonly images: number; readonly bytes: number };
  /** The blobs of live albums whose digest begins with `prefix`, in the order of digests. */
  blobs(prefix: string): readonly SnapshotBlob[];
}

/** The blobs that a copy of the store needs: no condemned ones, and none of an album that is being deleted. */
export const NEEDED_BLOBS = `blobs b
  join images i on i.id = b.image_id
  join albums a on a.id = i.album_id and a.state = 'live'
  where b.state = 'live'`;

/**
 * Copies a catalog as of one moment, even while it is written to. A thread does it: a large catalog takes minutes, and the caller
 * has to renew a hold meanwhile.
 * @param target must not exist
 * @throws Error with the `code` of the engine or the file system
 */
export async function writeSnapshot(path: string, target: string): Promise<void> {
  const worker = new Worker(new URL("./snapshot-worker.ts", import.meta.url).href);
  using thread = connectThread<SnapshotRequest>(worker, "snapshot thread");
  await thread.request({ path, target });
}

export interface SnapshotRequest {
  readonly path: string;
  readonly target: string;
}

/** Runs on the thread. */
export function copyCatalog({ path, target }: SnapshotRequest): void {
  // Private from the start: the catalog contains the key of signed links.
  closeSync(openSync(target, "wx", 0o600));
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
      .query(
        "select coalesce(sum(image_count), 0) as images, coalesce(sum(byte_count), 0) as bytes from albums where state = 'live'",
      )
      .get() as Snapshot["totals"];
    const select = db.query<SnapshotBlob, [string, string]>(
      `select b.key, b.location, b.size, b.sha256, a.name || '/' || i.name as image
       from ${NEEDED_BLOBS} and i.sha256 >= ?1 and i.sha256 < ?2 order by i.sha256, b.key`,
    );
    return {
      storeId,
      position,
      totals,
      // "g" follows every hex digit. Selects by digest, since a placeholder for lost bytes has another key.
      blobs: (prefix) => select.all(prefix, `${prefix}g`),
      [Symbol.dispose]: () => db.close(),
    };
  } catch (error) {
    db.close();
    throw error;
  }
}
