import { setTimeout } from "node:timers/promises";
import type { Album, CloudEvent, EventType, FollowedEvent, Image } from "../../../../client/src/index.ts";
import { inOrder } from "../../../concurrency/in-order.ts";
import { createNotifier } from "../../../concurrency/notifier.ts";
import { ADDED_ALBUM_FIELDS } from "../../../domain/album.ts";
import { ADDED_IMAGE_FIELDS } from "../../../domain/image.ts";
import { IN_FLIGHT } from "../transfer.ts";
import { convergeAlbum, removeAlbum } from "./albums.ts";
import { commitImages, type PreparedImage, prepareImage, removeImage } from "./images.ts";
import type { MirrorRun } from "./run.ts";
import type { ReceivedBytes } from "./target.ts";

/** Of albums and images. The audit trail is not copied. */
const TYPES: readonly EventType[] = [
  "imagestore.album.created",
  "imagestore.album.updated",
  "imagestore.album.deleted",
  "imagestore.image.created",
  "imagestore.image.updated",
  "imagestore.image.deleted",
];
const PAGE = 1000;

type ImageEventData = Image & { readonly reason: string; readonly newAlbum?: object };

/** A step is an image with its bytes, or another change that must come after those before it. */
type Step<Bytes> =
  | { readonly prepared: PreparedImage<Bytes> | undefined }
  | { readonly change: () => Promise<void>; readonly prepared?: undefined };

/** Makes the target as the events say, in their order. */
export async function applyEvents<Bytes extends ReceivedBytes>(
  run: MirrorRun<Bytes>,
  events: readonly CloudEvent[],
): Promise<void> {
  await inOrder<CloudEvent, Step<Bytes>>(events, {
    count: IN_FLIGHT,
    atOnce: IN_FLIGHT,
    async prepare(event) {
      if (event.type === "imagestore.image.created" || event.type === "imagestore.image.updated") {
        const image = { ...ADDED_IMAGE_FIELDS, ...(event.data as ImageEventData) };
        return isKnown(run, image) ? { prepared: undefined } : { prepared: await prepareImage(run, image) };
      }
      return { change: () => change(run, event) };
    },
    async commit(steps) {
      run.signal.throwIfAborted();
      let images: PreparedImage<Bytes>[] = [];
      const commit = async () => {
        const these = images;
        images = [];
        await commitImages(run, these, { isListed: false });
      };
      for (const step of steps) {
        if (step.prepared !== undefined) images.push(step.prepared);
        if (!("change" in step)) continue;
        await commit();
        await step.change();
      }
      await commit();
    },
    discard: async ({ prepared }) => {
      await prepared?.bytes?.discard();
    },
  });
}

/** Whether the state is later than the event: the listing had it already. */
function isKnown({ state }: MirrorRun, { id, revision }: Image): boolean {
  return (state.image(id)?.revision ?? -1) > revision;
}

/** All but new and changed images. */
async function change(run: MirrorRun, { type, data }: CloudEvent): Promise<void> {
  const { state } = run;
  if (type === "imagestore.image.deleted") {
    const { id, albumId, reason, newAlbum } = data as ImageEventData;
    const known = state.image(id);
    // The other event of a move has it enter the other album.
    const isMoved = reason === "moved" && newAlbum !== undefined;
    if (known !== undefined && !isMoved && state.album(albumId)?.id === known.albumId) await removeImage(run, known);
    return;
  }
  const album = { ...ADDED_ALBUM_FIELDS, ...(data as Album) };
  const known = state.album(album.id);
  if (type === "imagestore.album.deleted") {
    if (known !== undefined) await removeAlbum(run, known);
    return;
  }
  if (known !== undefined && known.revision > album.revision) return;
  // Deleted since, or its own creation is behind this: then an update of it comes again.
  if (known === undefined && type === "imagestore.album.updated" && !(await isThere(run, album.id))) return;
  await convergeAlbum(run, album);
}

async function isThere({ source, signal }: MirrorRun, id: string): Promise<boolean> {
  for await (const album of source.albums.list({ pageSize: PAGE }, { signal })) if (album.id === id) return true;
  return false;
}

/**
 * Applies the log up to its head, as it is when that is reached, and returns the position.
 * @throws StoreError `cursor_expired`, `cursor_unknown`
 */
export async function applyLog(
  run: MirrorRun,
  from: string,
  onPage: (cursor: string) => void = () => undefined,
): Promise<string> {
  const { source, signal } = run;
  for (let after = from; ; ) {
    const query = { after, limit: PAGE, type: [...TYPES] };
    const { items, nextCursor } = await source.send("GET", "/v1/events", { query, signal });
    await applyEvents(run, items);
    after = nextCursor;
    onPage(after);
    if (items.length === 0) return after;
  }
}

export interface FollowOptions {
  /** Told after each batch: how old its last event is, in seconds, and how many events it had. */
  readonly onApplied: (lagSeconds: number, events: number) => void;
  /** Nothing waits: the target has all that has come. */
  readonly onIdle: () => void;
  readonly onConnectionLost: () => void;
}

/** Events that wait to be applied. A slow target slows the reading of the log. */
const MAX_WAITING = 2000;
const BATCH = 500;

/** Applies the log as it grows, until the signal aborts. @throws StoreError `cursor_expired`, `cursor_unknown` */
export async function followLog(run: MirrorRun, { onApplied, onIdle, onConnectionLost }: FollowOptions): Promise<void> {
  const { source, state, signal } = run;
  const ended = new AbortController();
  const until = AbortSignal.any([signal, ended.signal]);
  const waiting: FollowedEvent[] = [];
  const news = createNotifier();
  const room = createNotifier();
  let failure: { readonly error: unknown } | undefined;
  async function read(): Promise<void> {
    const from = state.cursor();
    const events = source.follow({
      ...(from === undefined ? {} : { from }),
      types: TYPES,
      signal: until,
      onReconnect: (error) => error !== undefined && onConnectionLost(),
    });
    for await (const event of events) {
      waiting.push(event);
      news.notify();
      for (let seen = room.count; waiting.length >= MAX_WAITING && !until.aborted; seen = room.count)
        await room.wait(seen, 1000, until);
    }
  }
  const reading = read().catch((error: unknown) => {
    failure = { error };
    news.notify();
  });
  try {
    while (!signal.aborted) {
      const seen = news.count;
      const batch = waiting.splice(0, BATCH);
      room.notify();
      const last = batch.at(-1);
      if (last === undefined) {
        if (failure !== undefined) throw failure.error;
        onIdle();
        await news.wait(seen, 1000, signal);
        continue;
      }
      await applyEvents(
        run,
        batch.map(({ event }) => event),
      );
      state.setCursor(last.cursor);
      onApplied(Math.max(0, Date.now() - Date.parse(last.event.time)) / 1000, batch.length);
      // The reader of the stream gets its turn.
      await setTimeout(0);
    }
  } finally {
    ended.abort();
    await reading;
  }
}
