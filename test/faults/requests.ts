import type { AlbumState, Entry, Ledger, Outcome } from "./ledger.ts";
import { randomImage } from "./random-image.ts";

const REQUEST_TIMEOUT_MS = 60_000;
const JSON_TYPE = { "content-type": "application/json" };
const MERGE_PATCH = { "content-type": "application/merge-patch+json" };
const PNG = { "content-type": "image/png" };

/** One request each, booked in the ledger. The album is the entry's own, as it stands. */
export interface Requests {
  createAlbum(entry: Entry): Promise<Outcome>;
  renameAlbum(entry: Entry): Promise<Outcome>;
  deleteAlbum(entry: Entry): Promise<Outcome>;
  upload(entry: Entry, name?: string): Promise<Outcome>;
  /** Three files in one request, all or none. */
  uploadThree(entry: Entry): Promise<Outcome>;
  replaceImage(entry: Entry, name: string): Promise<Outcome>;
  renameImage(entry: Entry, name: string): Promise<Outcome>;
  deleteImage(entry: Entry, name: string): Promise<Outcome>;
}

/** @param at answers the node for the next request, also where one is sent again */
export function createRequests(
  at: string | (() => string),
  ledger: Ledger,
  options: { maxImageBytes: number },
): Requests {
  const store = typeof at === "string" ? () => at : at;
  // Mostly small, now and then large.
  const newImage = () => randomImage(Math.floor(Math.random() ** 4 * options.maxImageBytes));
  const albumUrl = (album: LiveAlbum) => `${store()}/v1/albums/${album.name}`;
  const imageUrl = (album: LiveAlbum, name: string) => `${albumUrl(album)}/images/${name}`;

  return {
    async createAlbum(entry) {
      const key = idempotencyKey();
      const name = `${entry.slot}.0`;
      return await ledger.attempt(
        entry,
        { name, images: {} },
        () => send("POST", `${store()}/v1/albums`, JSON.stringify({ name }), { ...JSON_TYPE, ...key }),
        "retryable",
      );
    },

    async renameAlbum(entry) {
      const album = live(entry);
      const name = `${entry.slot}.${Number(album.name.slice(entry.slot.length + 1)) + 1}`;
      return await ledger.attempt(entry, { ...album, name }, () =>
        send("PATCH", albumUrl(album), JSON.stringify({ name }), MERGE_PATCH),
      );
    },

    async deleteAlbum(entry) {
      return await ledger.attempt(entry, null, () => send("DELETE", `${albumUrl(live(entry))}?recursive=true`));
    },

    async upload(entry, name = newName()) {
      const album = live(entry);
      const image = newImage();
      const key = idempotencyKey();
      return await ledger.attempt(
        entry,
        withImages(album, { [name]: image.sha256 }),
        () => send("POST", `${albumUrl(album)}/images?name=${name}`, image.bytes, { ...PNG, ...key }),
        "retryable",
      );
    },

    async uploadThree(entry) {
      const album = live(entry);
      const form = new FormData();
      const key = idempotencyKey();
      const added: Record<string, string> = {};
      for (const name of [newName(), newName(), newName()]) {
        const image = newImage();
        form.append("file", new File([image.bytes], name, { type: "image/png" }));
        added[name] = image.sha256;
      }
      return await ledger.attempt(
        entry,
        withImages(album, added),
        () => send("POST", `${albumUrl(album)}/images`, form, key),
        "retryable",
      );
    },

    async replaceImage(entry, name) {
      const album = live(entry);
      const image = newImage();
      return await ledger.attempt(entry, withImages(album, { [name]: image.sha256 }), () =>
        send("PUT", `${imageUrl(album, name)}/content`, image.bytes, PNG),
      );
    },

    async renameImage(entry, name) {
      const album = live(entry);
      const renamed = newName();
      const moved = { [renamed]: album.images[name] ?? "" };
      return await ledger.attempt(entry, withImages(withoutImage(album, name), moved), () =>
        send("PATCH", imageUrl(album, name), JSON.stringify({ name: renamed }), MERGE_PATCH),
      );
    },

    async deleteImage(entry, name) {
      const album = live(entry);
      return await ledger.attempt(entry, withoutImage(album, name), () => send("DELETE", imageUrl(album, name)));
    },
  };
}

type LiveAlbum = NonNullable<AlbumState>;

function live(entry: Entry): LiveAlbum {
  if (entry.certain === null) throw new Error(`No album in slot ${entry.slot}.`);
  return entry.certain;
}

const withImages = (album: LiveAlbum, images: Record<string, string>): LiveAlbum => ({
  ...album,
  images: { ...album.images, ...images },
});

function withoutImage(album: LiveAlbum, name: string): LiveAlbum {
  const { [name]: _, ...images } = album.images;
  return { ...album, images };
}

const idempotencyKey = () => ({ "idempotency-key": crypto.randomUUID() });
let names = 0;
const newName = () => `${++names}.png`;

async function send(
  method: string,
  url: string,
  body?: Bun.BodyInit,
  headers: Record<string, string> = {},
): Promise<Response> {
  return await fetch(url, {
    method,
    ...(body === undefined ? {} : { body }),
    headers,
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  });
}
