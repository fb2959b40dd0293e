import { dirname } from "node:path";
import type { Catalog, Totals } from "../../ports.ts";
import type { Driver } from "./driver.ts";
import { migrate, migrateUnserved } from "./migrations/sqlite.ts";
import { albumsBeingDeleted, findAlbum, listAlbums, totals } from "./queries/albums.ts";
import { listBlobs, liveBlobs, recordedBlobs } from "./queries/blobs.ts";
import { listCursors, logState, readEvents } from "./queries/events.ts";
import { hasAnswered } from "./queries/idempotency.ts";
import { listImages } from "./queries/image-listing.ts";
import { findImage, findImageById } from "./queries/images.ts";
import { undescribedImages } from "./queries/undescribed.ts";
import { openConnection } from "./sqlite/connection.ts";
import { createContentReader } from "./sqlite/content-reader.ts";
import { lockFolder } from "./sqlite/lock.ts";
import { openSqliteReader } from "./sqlite/reader.ts";
import { refuseHalfRestored } from "./sqlite/restore.ts";
import { type BatchReport, createWriteQueue } from "./sqlite/write-queue.ts";
import { createSqliteWriter } from "./sqlite/writer.ts";
import type { Writer } from "./sqlite/writer-port.ts";
import { startWriterThread } from "./sqlite/writer-thread.ts";

/** The sums read every album; at most a tenth of the time goes into them, however often somebody asks. */
const TOTALS_SHARE = 0.1;

export interface SqliteCatalogOptions {
  /** The database file; its folder exists. */
  readonly path: string;
  /** The server: nobody else may serve this folder. Subcommands open it beside a running server without. */
  readonly exclusive: boolean;
  /** `thread` (default) keeps reads from waiting for writes; `inline` is enough for a short-lived process. */
  readonly writer?: "thread" | "inline";
  /** What was written last is in doubt, or the writer died: the process should end, and recover when it starts. */
  readonly onFatal: (error: Error) => void;
  readonly observe?: (batch: BatchReport) => void;
  /** Changes that may wait; past it, `busy`. */
  readonly maxWaiting?: number;
}

/**
 * The embedded catalog.
 * @throws CatalogOpenError when another server uses the folder, a newer version wrote it, an older version did and a
 * server uses it, it is restored only in part, or it would not be durable
 */
export async function openSqliteCatalog(options: SqliteCatalogOptions): Promise<Catalog> {
  const { path, maxWaiting, observe, onFatal } = options;
  await using opening = new AsyncDisposableStack();
  if (options.exclusive) opening.use(lockFolder(dirname(path)));
  refuseHalfRestored(path);
  const writer = await openWriter(options);
  opening.defer(() => writer.close());
  const reader = opening.use(openSqliteReader(path));
  const storeId = await reader.read(readStoreId);

  const listeners = new Set<() => void>();
  const onAppended = () => {
    for (const listener of listeners) listener();
  };
  const contents = createContentReader(reader, { remember: options.exclusive });
  const forgetting: Writer = { ...writer, run: (changes) => writer.run(changes).finally(contents.forget) };
  const queue = createWriteQueue(forgetting, { maxWaiting, observe, onAppended, onFatal });
  opening.defer(queue.drain);
  const stack = opening.move();

  let lastTotals: { readonly value: Totals; readonly until: number } | undefined;
  const cachedTotals = async () => {
    const started = performance.now();
    if (lastTotals !== undefined && started < lastTotals.until) return lastTotals.value;
    const value = await reader.read(totals);
    const ended = performance.now();
    lastTotals = { value, until: ended + (ended - started) / TOTALS_SHARE };
    return value;
  };

  return {
    storeId,
    shared: false,
    write: queue.write,

    album: (name) => reader.read((db) => findAlbum(db, name)),
    albums: (query) => reader.snapshot((db) => listAlbums(db, query)),
    image: (album, name) => reader.read((db) => findImage(db, album, name)),
    imageById: (id) => reader.read((db) => findImageById(db, id)),
    content: contents.byName,
    contentById: contents.byId,
    images: (query) => reader.snapshot((db) => listImages(db, query)),

    events: (query) => reader.snapshot((db) => readEvents(db, query)),
    log: () => reader.read(logState),
    cursors: () => reader.snapshot((db) => listCursors(db, Date.now())),
    onEvents: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },

    undescribedImages: (limit, after) => reader.read((db) => undescribedImages(db, limit, after)),
    hasAnswered: (key) => reader.read((db) => hasAnswered(db, key)),
    albumsBeingDeleted: (limit) => reader.read((db) => albumsBeingDeleted(db, limit)),
    recordedBlobs: (keys) => reader.snapshot((db) => recordedBlobs(db, keys)),
    liveBlobs: (keys) => reader.snapshot((db) => liveBlobs(db, keys)),
    blobs: (query) => reader.read((db) => listBlobs(db, query)),
    totals: cachedTotals,

    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function openWriter({ path, exclusive, writer }: SqliteCatalogOptions): Promise<Writer> {
  const db = openConnection(path, { readonly: false });
  try {
    if (exclusive) migrate(db);
    else migrateUnserved(db);
  } catch (error) {
    db.close();
    throw error;
  }
  if (writer === "inline") return createSqliteWriter(db);
  db.close(true);
  return startWriterThread(path);
}

async function readStoreId(db: Driver): Promise<string> {
  const row = await db.get<{ store_id: string }>("select store_id from store");
  return (row as { store_id: string }).store_id;
}
