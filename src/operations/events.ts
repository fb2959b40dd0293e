import { type EventType, type LogPosition, type SerializedCloudEvent, toCloudEvent } from "../domain/event.ts";
import type { Catalog, EventBatch, EventQuery } from "../ports.ts";
import type { EventFeed } from "./event-feed.ts";

export interface EventReader {
  readonly catalog: Pick<Catalog, "storeId" | "events" | "log">;
  readonly eventFeed: Pick<EventFeed, "count" | "wait" | "share">;
}

export interface EventSelection {
  /** Undefined: from the oldest that is kept. */
  readonly after: LogPosition | "latest" | undefined;
  /** At most so many a page. */
  readonly limit: number;
  readonly types?: readonly EventType[] | undefined;
  readonly albumId?: string | undefined;
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
 * signals aborts, then answers an empty page.
 * @throws StoreError `cursor_unknown`, `cursor_expired`
 */
export async function listEvents(
  reader: EventReader,
  selection: EventSelection & { readonly wait: number },
  signals: readonly AbortSignal[],
): Promise<EventPage> {
  const { limit, types, albumId } = selection;
  const deadline = performance.now() + selection.wait;
  let after = await startOf(reader, selection);
  for (;;) {
    const seen = reader.eventFeed.count;
    const batch = await readEvents(reader, { after, limit, types, albumId });
    after = batch.next;
    const left = deadline - performance.now();
    const over = signals.some((signal) => signal.aborted) || (batch.atEnd && left <= 0);
    if (batch.events.length > 0 || over) return toPage(reader, batch);
    if (batch.atEnd) await reader.eventFeed.wait(seen, left, ...signals);
  }
}

/**
 * Page after page for as long as nobody aborts, and an empty one at the start and after each `heartbeat` milliseconds
 * without any.
 * @throws StoreError `cursor_unknown`, `cursor_expired`
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

const readEvents = ({ catalog, eventFeed }: EventReader, query: EventQuery): Promise<EventBatch> =>
  eventFeed.share(JSON.stringify(query), () => catalog.events(query));

async function startOf(
  { catalog, eventFeed }: EventReader,
  { after }: EventSelection,
): Promise<LogPosition | undefined> {
  if (after !== "latest") return after;
  const { epoch, head } = await eventFeed.share("log", () => catalog.log());
  return { epoch, seq: head };
}

function toPage({ catalog }: EventReader, { events, next }: EventBatch): EventPage {
  const log = { storeId: catalog.storeId, epoch: next.epoch };
  return {
    events: events.map((stored) => ({
      event: toCloudEvent(stored, log),
      position: { epoch: next.epoch, seq: stored.seq },
    })),
    next,
  };
}
