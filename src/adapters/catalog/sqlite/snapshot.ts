import { Database } from "bun:sqlite";
import { closeSync, openSync } from "node:fs";
import type { LogPosition } from "../../../domain/event.ts";
import { openConnection } from "./connection.ts";

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
 * Copies a catalog, also one that is being written to, as it is at one moment. On a thread of its own: a large one takes
 * minutes, in which the caller has a hold to renew.
 * @param target does not exist
 * @throws Error with the `code` of the engine or the file system
 */
export async function writeSnapshot(path: string, target: string): Promise<void> {
  const thread = new Worker(new URL("./snapshot-worker.ts", import.meta.url).href);
  try {
    const { promise, resolve, reject } = Promise.withResolvers<SnapshotReply>();
    const fail = (reason: string) => reject(new Error(`The thread that copies the catalog ${reason}`));
    thread.addEventListener("error", ({ message }) => fail(`failed: ${message}`));
    thread.addEventListener("close", () => fail("has ended."));
    thread.addEventListener("message", ({ data }: MessageEvent<SnapshotReply>) => resolve(data));
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    thread.postMessage({ path, target } satisfies SnapshotRequest);
    const { failure } = await promise;
    if (failure !== undefined) throw Object.assign(new Error(failure.message), { code: failure.code });
  } finally {
    thread.terminate();
  }
}

export interface SnapshotRequest {
  readonly path: string;
  readonly target: string;
}

/** An error loses its `code` on its way between threads. */
export interface SnapshotReply {
  readonly failure?: { readonly message: string; readonly code: unknown };
}

/** What the thread does. */
export function copyCatalog({ path, target }: SnapshotRequest): SnapshotReply {
  try {
    // Nobody else's from the start: it has the key of signed links.
    closeSync(openSync(target, "wx", 0o600));
    const db = openConnection(path, { readonly: true });
    try {
      db.run("vacuum into ?1", [target]);
    } finally {
      db.close();
    }
    return {};
  } catch (error) {
    return { failure: { message: (error as Error).message, code: (error as { code?: unknown }).code } };
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
      // "g" comes after every hex digit. Not by key: what stands in for lost bytes has that of its own bytes.
      blobs: (prefix) => select.all(prefix, `${prefix}g`),
      [Symbol.dispose]: () => db.close(),
    };
  } catch (error) {
    db.close();
    throw error;
  }
}
