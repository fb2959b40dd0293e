import type { Catalog } from "../../ports.ts";
import { createCachedTotals } from "./cached-totals.ts";
import type { Driver, MaybePromise } from "./driver.ts";
import { albumsBeingDeleted, findAlbum, listAlbums, totals } from "./queries/albums.ts";
import { listBlobs, liveBlobs, recordedBlobs } from "./queries/blobs.ts";
import { listCursors, logState, readEvents } from "./queries/events.ts";
import { hasAnswered } from "./queries/idempotency.ts";
import { listImages } from "./queries/image-listing.ts";
import { findContent, findContentById, findImage, findImageById } from "./queries/images.ts";
import { undescribedImages } from "./queries/undescribed.ts";

/** How an engine runs a query. */
export interface Reader {
  /** One statement, which sees all that was committed before it. */
  readonly read: <Value>(query: (db: Driver) => MaybePromise<Value>) => Promise<Value>;
  /** Several statements that all see the same. */
  readonly snapshot: <Value>(query: (db: Driver) => MaybePromise<Value>) => Promise<Value>;
}

type Queries = Omit<Catalog, "storeId" | "shared" | "write" | "onEvents" | "probe" | typeof Symbol.asyncDispose>;

/** @param now the engine's time in milliseconds since 1970 */
export function createQueries({ read, snapshot }: Reader, now: (db: Driver) => MaybePromise<number>): Queries {
  return {
    album: (name) => read((db) => findAlbum(db, name)),
    albums: (query) => snapshot((db) => listAlbums(db, query)),
    image: (album, name) => read((db) => findImage(db, album, name)),
    imageById: (id) => read((db) => findImageById(db, id)),
    content: (album, name) => read((db) => findContent(db, album, name)),
    contentById: (id) => read((db) => findContentById(db, id)),
    images: (query) => snapshot((db) => listImages(db, query)),

    events: (query) => snapshot((db) => readEvents(db, query)),
    log: () => read(logState),
    cursors: () => snapshot(async (db) => listCursors(db, await now(db))),

    undescribedImages: (limit, before) => read((db) => undescribedImages(db, limit, before)),
    hasAnswered: (key) => read((db) => hasAnswered(db, key)),
    albumsBeingDeleted: (limit) => read((db) => albumsBeingDeleted(db, limit)),
    recordedBlobs: (keys) => snapshot((db) => recordedBlobs(db, keys)),
    liveBlobs: (keys) => snapshot((db) => liveBlobs(db, keys)),
    blobs: (query) => read((db) => listBlobs(db, query)),
    totals: createCachedTotals(() => read(totals)),
  };
}

export async function readStoreId(db: Driver): Promise<string> {
  const row = await db.get<{ store_id: string }>("select store_id from store");
  return (row as { store_id: string }).store_id;
}
