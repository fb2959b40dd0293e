import { setImmediate } from "node:timers/promises";
import { forbidden } from "../domain/access.ts";
import { authorize, type Caller, mayEverywhere, visibleAlbums } from "../domain/caller.ts";
import {
  type EventType,
  isAuditType,
  type LogPosition,
  type SerializedCloudEvent,
  toCloudEvent,
  withoutHiddenName,
} from "../domain/event.ts";
import type { Visibility } from "../domain/visibility.ts";
import type { Catalog, EventBatch, EventQuery } from "../ports.ts";
import type { EventFeed } from "./event-feed.ts";

export interface EventReader {
  readonly catalog: Pick<Catalog, "storeId" | "events" | "log">;
  readonly eventFeed: Pick<EventFeed, "count" | "wait" | "coalesce">;
}

export interface EventSelection {
  /** Of the albums on which it has the right `events`. */
  readonly caller: Caller;
  /** Undefined: from the oldest that is kept. */
  readonly after: LogPosition | BeforeEnd | undefined;
  /** At most so many a page. */
  readonly limit: number;
  readonly types?: readonly EventType[] | undefined;
  readonly albumId?: string | undefined;
}

/** So many events before the end of the log, with those that the selection leaves out. */
export interface BeforeEnd {
  readonly beforeEnd: number;
}

export interface EventPage {
  readonly events: readonly PlacedEvent[];
  /** Where to go on: past the events that the selection left out too. */
  readonly next: LogPosition;
}

/** An event and the position that has it, and nothing later, behind it. */
export interface PlacedEvent {
  readonly event: SerializedCloudEvent;
  readonly position: LogPosition;
}

/**
 * The next page of the log. Where there is nothing yet it waits for up to `wait` milliseconds, or until one of the
 * signals aborts, then returns an empty page.
 * @throws StoreError `forbidden`, `cursor_unknown`, `cursor_expired`
 */
export async function listEvents(
  reader: EventReader,
  selection: EventSelection & { readonly wait: number },
  signals: readonly AbortSignal[],
): Promise<EventPage> {
  const { caller, limit, types, albumId } = selection;
  authorize(caller, "events");
  const deadline = performance.now() + selection.wait;
  const visibility = visibleAlbums(caller, "events");
  const audit = mayEverywhere(caller, "admin");
  if (!audit && types?.some(isAuditType) === true)
    throw forbidden("admin", 'Events of the audit trail need the right "admin".');
  let after = await startOf(reader, selection);
  for (;;) {
    const seen = reader.eventFeed.count;
    const batch = await fillBatch(reader, { after, limit, types, albumId, visibility, audit }, signals);
    after = batch.next;
    const left = deadline - performance.now();
    // Of a log that is long and mostly hidden, an empty page moves the cursor on.
    const mayBeEmpty = batch.atEnd || visibility !== "all" || !audit;
    const over = (mayBeEmpty && left <= 0) || signals.some((signal) => signal.aborted);
    if (batch.events.length > 0 || over) return toPage(reader, batch, visibility);
    if (batch.atEnd) await reader.eventFeed.wait(seen, left, ...signals);
    // What comes after one of them must not be read: the caller's access may have ended.
    if (signals.some((signal) => signal.aborted)) return toPage(reader, { ...batch, events: [] }, visibility);
  }
}

/**
 * Page after page until the signal aborts, and an empty one at the start and after each `heartbeat` milliseconds
 * without any.
 * @throws StoreError `forbidden`, `cursor_unknown`, `cursor_expired`
 */
export async function* followEvents(
  reader: EventReader,
  { heartbeat, ...selection }: EventSelection & { readonly heartbeat: number },
  signals: readonly AbortSignal[],
): AsyncGenerator<EventPage> {
  const page = await listEvents(reader, { ...selection, wait: 0 }, signals);
  yield page;
  let after = page.next;
  while (!signals.some((signal) => signal.aborted)) {
    const following = await listEvents(reader, { ...selection, after, wait: heartbeat }, signals);
    after = following.next;
    yield following;
  }
}

/** How long it looks for events that the caller may see, in milliseconds. */
const PATIENCE = 250;

/** Where not all events are visible the catalog returns short batches. This one goes on where they end. */
async function fillBatch(reader: EventReader, query: EventQuery, signals: readonly AbortSignal[]): Promise<EventBatch> {
  const deadline = performance.now() + PATIENCE;
  let batch = await readEvents(reader, query);
  while ((query.visibility !== "all" || query.audit !== true) && !batch.atEnd && batch.events.length < query.limit) {
    if (performance.now() >= deadline || signals.some((signal) => signal.aborted)) return batch;
    await setImmediate();
    const limit = query.limit - batch.events.length;
    const following = await readEvents(reader, { ...query, after: batch.next, limit });
    batch = { ...following, events: [...batch.events, ...following.events] };
  }
  return batch;
}

/** Followers share answers by the whole question, of which their visibility is a part. */
const readEvents = ({ catalog, eventFeed }: EventReader, query: EventQuery): Promise<EventBatch> =>
  eventFeed.coalesce(JSON.stringify(query), () => catalog.events(query));

async function startOf(
  { catalog, eventFeed }: EventReader,
  { after }: EventSelection,
): Promise<LogPosition | undefined> {
  if (after === undefined || "seq" in after) return after;
  const { epoch, prunedThrough, lastSequence } = await eventFeed.coalesce("log", () => catalog.log());
  return { epoch, seq: Math.max(prunedThrough, lastSequence - after.beforeEnd) };
}

function toPage({ catalog }: EventReader, { events, next }: EventBatch, visibility: Visibility): EventPage {
  const log = { storeId: catalog.storeId, epoch: next.epoch };
  return {
    events: events.map((stored) => ({
      event: toCloudEvent(withoutHiddenName(stored, visibility), log),
      position: { epoch: next.epoch, seq: stored.seq },
    })),
    next,
  };
}
