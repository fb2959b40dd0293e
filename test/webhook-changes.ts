import { afterEach, beforeEach } from "bun:test";
import type { Requester } from "../src/domain/requested.ts";
import { type DeliveryAttempt, type ReaderKind, type WebhookReader, webhookCursor } from "../src/domain/webhook.ts";
import type { CreateWebhook, DeliveryProgress } from "../src/domain/webhook-changes.ts";
import { createAlbum, eventsAfter, loggedState, type OpenCatalog, type OpenedCatalog } from "./catalog-changes.ts";

export const URL = "https://example.com/hook";
export const SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz";
export const BY: Requester = { actor: { kind: "key", id: "k1", name: "admin" }, albums: "all", shared: "all" };

export const progressOf = (reader: WebhookReader, more: Partial<DeliveryProgress> = {}): DeliveryProgress => {
  const { webhookId, kind, generation, position, failures, failingSince, retryAt } = reader;
  const state = { webhookId, kind, generation, position, failures, failingSince, retryAt };
  return { ...state, blocked: [], unblocked: [], attempts: [], ...more };
};

export const blockedAt = (albumId: string, seq: number) => ({
  albumId,
  seq,
  attempts: 2,
  nextAttemptAt: 5000,
  failingSince: 4000,
});

export const attemptOf = (seq: number, more: Partial<DeliveryAttempt> = {}): DeliveryAttempt => ({
  id: Bun.randomUUIDv7(),
  eventId: `event${seq}`,
  type: "imagestore.album.created",
  seq,
  replay: false,
  attempt: 1,
  startedAt: 1_800_000_000_000 + seq,
  milliseconds: 12,
  delivered: true,
  status: 200,
  error: null,
  response: "ok",
  ...more,
});

/** An empty catalog for each test, and webhooks in it. */
export function useWebhooks(open: OpenCatalog) {
  let catalog: OpenedCatalog;
  beforeEach(async () => {
    catalog = await open();
  });
  afterEach(() => catalog[Symbol.asyncDispose]());

  let made = 0;
  const newWebhook = (more: Partial<CreateWebhook> = {}): CreateWebhook => {
    made += 1;
    const fields = { url: URL, types: null, albums: "*", description: null, secret: SECRET, from: null } as const;
    return { type: "createWebhook", id: `hook${String(made).padStart(4, "0")}`, ...fields, by: BY, ...more };
  };
  const create = async (more?: Partial<CreateWebhook>) => (await catalog.write(newWebhook(more))).value;
  const patch = (id: string, change: object) => catalog.write({ type: "updateWebhook", id, patch: change, by: BY });
  const replay = async (id: string, from: number, to: number | null) => {
    const { epoch } = await catalog.log();
    const end = to === null ? null : { epoch, seq: to };
    return catalog.write({ type: "replayWebhook", id, from: { epoch, seq: from }, to: end, by: BY });
  };

  /** Albums `a0`, `a1`, …, each with one event. */
  const createAlbums = async (count: number) => {
    const from = (await loggedState(catalog)).lastSequence;
    for (let index = 0; index < count; index++) await createAlbum(catalog, `a${from}-${index}`);
    await eventsAfter(catalog, from, count);
  };
  const webhookEvents = async () => {
    await loggedState(catalog);
    const { events } = await catalog.events({ visibility: "all", audit: true, limit: 1000 });
    return events.filter(({ subject }) => subject?.startsWith("webhooks/"));
  };

  const readerOf = async (id: string, kind: ReaderKind = "live"): Promise<WebhookReader | undefined> => {
    const [found] = await catalog.webhooksToDeliver([id]);
    return found?.readers.find((reader) => reader.kind === kind);
  };
  const liveOf = async (id: string) => (await readerOf(id)) as WebhookReader;
  const save = (...progress: DeliveryProgress[]) => catalog.write({ type: "saveDeliveries", progress });
  const cursorOf = async (id: string) => (await catalog.cursors()).find(({ name }) => name === webhookCursor(id))?.seq;

  return {
    catalog: () => catalog,
    newWebhook,
    create,
    patch,
    replay,
    createAlbums,
    webhookEvents,
    readerOf,
    liveOf,
    save,
    cursorOf,
  };
}
