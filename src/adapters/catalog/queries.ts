import type { MaybePromise } from "../../concurrency/maybe-promise.ts";
import { createMemo, createRemembered } from "../../concurrency/memo.ts";
import type { Idempotency } from "../../domain/change.ts";
import type { UnnumberedEvents } from "../../domain/event.ts";
import type { Quota } from "../../domain/quota.ts";
import type { QuotaCatalog } from "../../ports/access.ts";
import type { Catalog } from "../../ports.ts";
import type { Driver } from "./driver.ts";
import { albumsBeingDeleted, findAlbum, listAlbums, totals } from "./queries/albums.ts";
import { listBlobs, liveBlobs, recordedBlobs } from "./queries/blobs.ts";
import { accessState, findCredential } from "./queries/credentials.ts";
import { listCursors, logState, readEvents, secondsSince } from "./queries/events.ts";
import { imageFiles, newestImageAt } from "./queries/image-files.ts";
import { listImageLayout, listImages } from "./queries/image-listing.ts";
import { findImages } from "./queries/image-refs.ts";
import { findContent, findContentById, findImage, findImageById } from "./queries/images.ts";
import { findKey, listKeys } from "./queries/keys.ts";
import { knownImages } from "./queries/known-images.ts";
import { anyQuota, listQuotas, miscounts, quotasOf } from "./queries/quotas.ts";
import { createRememberedOrders } from "./queries/remembered-orders.ts";
import { findShare, listShares } from "./queries/shares.ts";
import { findTicket, listTickets } from "./queries/tickets.ts";
import { describeBacklog, undescribedImages } from "./queries/undescribed.ts";
import { listDeliveries } from "./queries/webhook-deliveries.ts";
import { webhooksToDeliver } from "./queries/webhook-readers.ts";
import { findSecrets, findWebhook, listWebhooks } from "./queries/webhooks.ts";

/** How an engine runs a query. */
export interface Reader {
  /** Runs one statement, which sees everything committed before it. */
  readonly read: <Value>(query: (db: Driver) => MaybePromise<Value>) => Promise<Value>;
  /** Runs several statements on one snapshot. */
  readonly snapshot: <Value>(query: (db: Driver) => MaybePromise<Value>) => Promise<Value>;
}

export type Queries = Omit<Catalog, "storeId" | "shared" | "write" | "onEvents" | "probe" | typeof Symbol.asyncDispose>;

/** What differs between the engines. */
export interface EngineQueries {
  /** Milliseconds since 1970. */
  readonly now: (db: Driver) => MaybePromise<number>;
  readonly unnumbered: (db: Driver) => MaybePromise<UnnumberedEvents>;
}

/** Sums read many rows. Each is kept for ten times as long as it took, so they use at most a tenth of the time. */
const TENTH_OF_THE_TIME = { keepFor: (tookMs: number) => 10 * tookMs, keepsFailures: false };

export function createQueries({ read, snapshot }: Reader, { now, unnumbered }: EngineQueries): Queries {
  const orders = createRememberedOrders();
  return {
    album: (name, visibility) => read((db) => findAlbum(db, name, visibility)),
    albums: (query) => snapshot((db) => listAlbums(db, query, orders)),
    image: (album, name, visibility) => read((db) => findImage(db, album, name, visibility)),
    imageById: (id, visibility) => read((db) => findImageById(db, id, visibility)),
    content: (album, name, visibility) => read((db) => findContent(db, album, name, visibility)),
    contentById: (id, visibility) => read((db) => findContentById(db, id, visibility)),
    imagesByRefs: (refs, visibility) => snapshot((db) => findImages(db, refs, visibility)),
    images: (query) => snapshot((db) => listImages(db, query, orders)),
    imageLayout: (query) => snapshot((db) => listImageLayout(db, query, orders)),
    imageFiles: (query) => read((db) => imageFiles(db, query)),
    newestImageAt: (albumId) => read((db) => newestImageAt(db, albumId)),
    knownImages: (query) => read((db) => knownImages(db, query)),
    ticket: (id) => read((db) => findTicket(db, id)),
    tickets: (query) => snapshot((db) => listTickets(db, query)),

    events: (query) => snapshot((db) => readEvents(db, query)),
    log: () => read(logState),
    cursors: (name) => snapshot(async (db) => listCursors(db, await now(db), await unnumbered(db), name)),
    unreadableSeconds: () => snapshot(async (db) => secondsSince((await unnumbered(db)).oldest, await now(db))),

    credential: (kind, id) => read((db) => findCredential(db, kind, id)),
    accessState: () => read(accessState),
    key: (id) => read((db) => findKey(db, id)),
    keys: (query) => snapshot((db) => listKeys(db, query)),
    share: (id) => read((db) => findShare(db, id)),
    shares: (query) => snapshot((db) => listShares(db, query)),

    webhook: (id) => snapshot((db) => findWebhook(db, id)),
    webhooks: (query) => snapshot((db) => listWebhooks(db, query)),
    webhookSecrets: (id) => read((db) => findSecrets(db, id)),
    webhookDeliveries: (query) => snapshot((db) => listDeliveries(db, query)),
    webhooksToDeliver: (ids) => snapshot((db) => webhooksToDeliver(db, ids)),

    undescribedImages: (query) => read((db) => undescribedImages(db, query)),
    describeBacklog: createRemembered(() => read(describeBacklog), TENTH_OF_THE_TIME),
    hasAnswered: (key) => read((db) => hasAnswered(db, key)),
    albumsBeingDeleted: (limit) => read((db) => albumsBeingDeleted(db, limit)),
    recordedBlobs: (keys) => snapshot((db) => recordedBlobs(db, keys)),
    liveBlobs: (keys) => snapshot((db) => liveBlobs(db, keys)),
    blobs: (query) => read((db) => listBlobs(db, query)),
    quotas: (scopes) => read((db) => quotasOf(db, scopes)),
    allQuotas: (query) => snapshot((db) => listQuotas(db, query)),
    recentQuotas: rememberQuotas(read),
    miscounts: () => snapshot(miscounts),
    totals: createRemembered(() => read(totals), TENTH_OF_THE_TIME),
  };
}

const REMEMBERED_QUOTAS = 1000;

/** Most stores have no quota, which is known without asking for those of each album. */
function rememberQuotas(read: Reader["read"]): QuotaCatalog["recentQuotas"] {
  const options = { keepsFailures: false };
  const any = createRemembered(() => read(anyQuota), options);
  const known = createMemo<() => Promise<readonly Quota[]>>(REMEMBERED_QUOTAS);
  return async (scopes) => {
    if (!(await any())) return [];
    return known.get(scopes.join(), () => createRemembered(() => read((db) => quotasOf(db, scopes)), options))();
  };
}

const hasAnswered = async (db: Driver, { scope, key }: Pick<Idempotency, "scope" | "key">): Promise<boolean> =>
  (await db.get("select 1 from idempotency where scope = $1 and key = $2", [scope, key])) !== undefined;

export async function readStoreId(db: Driver): Promise<string> {
  const row = await db.get<{ store_id: string }>("select store_id from store");
  return (row as { store_id: string }).store_id;
}
