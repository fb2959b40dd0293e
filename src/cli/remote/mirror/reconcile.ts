import type { Image } from "../../../../client/src/index.ts";
import { inOrder } from "../../../concurrency/in-order.ts";
import { IN_FLIGHT } from "../transfer.ts";
import { convergeAlbum, removeAlbum } from "./albums.ts";
import { applyLog } from "./events.ts";
import { commitImages, prepareImage, removeImage } from "./images.ts";
import type { MirrorRun } from "./run.ts";
import type { KnownImage } from "./state.ts";
import type { ReceivedBytes } from "./target.ts";

/** New images that go into one change. */
export const TOGETHER = 64;
const PAGE = { pageSize: 1000, orderBy: "createdAt" } as const;

export interface ReconcileOptions {
  /** Whether the bytes of the target are read and hashed too. */
  readonly bytes: boolean;
  /** Called with the number of albums and images that the source has. */
  readonly onSource?: (found: { readonly images: number; readonly bytes: number }) => void;
}

/**
 * Makes the target like the listings of the source, and removes what the source does not have. The log is to be followed from the position
 * that the state has then.
 */
export async function reconcile<Bytes extends ReceivedBytes>(
  run: MirrorRun<Bytes>,
  { bytes, onSource }: ReconcileOptions,
): Promise<void> {
  const { source, state, signal } = run;
  await readTarget(run);
  if (bytes) await forgetDamaged(run);
  // Before the listings: what changes while they are read is in the log behind it.
  const { watermark } = await source.send("GET", "/v1/albums", { query: { pageSize: 1 }, signal });
  state.unmark("source");
  for await (const album of source.albums.list(PAGE, { signal })) {
    onSource?.({ images: album.imageCount, bytes: album.byteCount });
    await convergeAlbum(run, album);
    markSource(run, "albums", state.album(album.id)?.id);
  }
  // By the time of creation, which no move changes: each image that stays is seen.
  await inOrder(source.images(undefined, PAGE, { signal }), {
    count: IN_FLIGHT,
    atOnce: TOGETHER,
    prepare: async (image) => ({ listed: image, prepared: await prepareImage(run, image) }),
    async commit(ready) {
      signal.throwIfAborted();
      await commitImages(
        run,
        ready.flatMap(({ prepared }) => prepared ?? []),
        { isListed: true },
      );
      state.together(() => {
        for (const { listed } of ready) markSource(run, "images", state.image(listed.id)?.id);
      });
    },
    discard: async ({ prepared }) => {
      await prepared?.bytes?.discard();
    },
  });
  // An image that moved into an album which came after the albums were listed is in the log.
  const cursor = await applyLog(run, watermark);
  await removeUnseen(run);
  state.setCursor(cursor);
}

const markSource = ({ state }: MirrorRun, kind: "albums" | "images", id: string | undefined): void => {
  if (id !== undefined) state.mark("source", kind, id);
};

/** What the target has may not be what the state says: a killed run, or a client, has changed it. */
export async function readTarget({ target, state }: MirrorRun): Promise<void> {
  state.unmark("target");
  for await (const album of target.albums()) {
    const known = state.albumByTarget(album.id);
    const sourceId = known?.sourceId ?? (target.isVerbatim ? album.id : undefined);
    state.saveAlbum({ revision: 0, ...known, ...album, sourceId });
    state.mark("target", "albums", album.id);
  }
  let batch: (() => void)[] = [];
  const flush = () => {
    state.together(() => batch.forEach((work) => work()));
    batch = [];
  };
  for await (const image of target.images()) {
    batch.push(() => {
      const known = state.imageByTarget(image.id);
      const sourceId = known?.sourceId ?? (target.isVerbatim ? image.id : undefined);
      state.saveImage({ revision: 0, ...known, ...image, sourceId });
      state.mark("target", "images", image.id);
    });
    if (batch.length >= 500) flush();
  }
  flush();
  for (const image of unmarked({ state }, "target")) state.removeImage(image.id);
  for (const album of state.unmarkedAlbums("target")) state.removeAlbum(album.id);
}

function* unmarked({ state }: Pick<MirrorRun, "state">, side: "source" | "target"): Generator<KnownImage, void> {
  for (let after = ""; ; ) {
    const rows = state.unmarkedImages(side, after, PAGE.pageSize);
    yield* rows;
    after = rows.at(-1)?.id ?? "";
    if (rows.length < PAGE.pageSize) return;
  }
}

/** Images whose bytes can't be read as they were stored get them again. */
async function forgetDamaged({ target, state, report }: MirrorRun): Promise<void> {
  for await (const image of target.images()) {
    if ((await target.digestOf(image)) === image.sha256) continue;
    const known = state.imageByTarget(image.id);
    if (known === undefined) continue;
    report.changed("image", "bytes", image.name);
    state.saveImage({ ...known, sha256: "" });
  }
}

/** An image may have come back since: the source is asked for each. */
async function removeUnseen(run: MirrorRun): Promise<void> {
  const { state, source, signal } = run;
  for (const image of unmarked(run, "source")) {
    const current = image.sourceId === undefined ? undefined : await findImage(run, image.sourceId);
    if (current === undefined) await removeImage(run, image);
  }
  const there = new Set<string>();
  const gone = state.unmarkedAlbums("source");
  if (gone.length > 0) for await (const { id } of source.albums.list(PAGE, { signal })) there.add(id);
  for (const album of gone)
    if (album.sourceId === undefined || !there.has(album.sourceId)) await removeAlbum(run, album);
}

async function findImage({ source, signal }: MirrorRun, id: string): Promise<Image | undefined> {
  return source.imageById(id, { signal }).catch((error: unknown) => {
    if ((error as { readonly code?: unknown }).code === "image_not_found") return undefined;
    throw error;
  });
}

/** How many images of the target were created before one that the source created before them. */
export async function countOutOfOrder({ target, state, source, signal }: MirrorRun): Promise<number> {
  const places = new Map<string, number>();
  for await (const { id } of source.images(undefined, PAGE, { signal })) places.set(id, places.size);
  let [highest, count] = [-1, 0];
  for await (const { id } of target.images()) {
    const place = places.get(state.imageByTarget(id)?.sourceId ?? "");
    if (place === undefined) continue;
    if (place < highest) count += 1;
    highest = Math.max(highest, place);
  }
  return count;
}
