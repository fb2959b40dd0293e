import { type Client, type Image, StoreError } from "../../../../client/src/index.ts";
import { decodeCursor } from "../../../domain/event.ts";
import { lostConnection } from "../receive-file.ts";
import { imageFields, toTargetAlbum, toTargetImage } from "./fields.ts";
import type { ImageToStore, MirrorTarget, ReceivedBytes, TargetImage } from "./target.ts";

interface BytesInMemory extends ReceivedBytes {
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const PAGE = { pageSize: 1000, orderBy: "createdAt" } as const;

/** A running store, by its API. It gives records ids, revisions and times of its own. */
export function createTargetStore(client: Client, signal: AbortSignal): MirrorTarget<BytesInMemory> {
  const given = { signal };
  async function storeOne({ album, image, bytes, present }: ImageToStore<BytesInMemory>): Promise<TargetImage> {
    const options = { ...given, name: present?.name ?? image.name } as const;
    const stored = await client.upload(album.name, bytes.bytes, {
      ...options,
      ifExists: present === undefined ? "fail" : "replace",
    });
    if (present !== undefined) return toTargetImage(stored);
    const { title, description, metadata, tags, focalPoint } = image;
    const wanted = { title, description, metadata, tags, focalPoint };
    if (imageFields(wanted) === imageFields(stored)) return toTargetImage(stored);
    return toTargetImage(await client.update(album.name, stored.name, wanted, given));
  }
  return {
    isVerbatim: false,
    identity: () => identityOf(client, signal).catch((error: unknown) => unlessForbidden(error)),
    async *albums() {
      for await (const album of client.albums.list(PAGE, given)) yield toTargetAlbum(album);
    },
    async *images() {
      for await (const image of client.images(undefined, PAGE, given)) yield toTargetImage(image);
    },
    albumNamed: (name) => ifThere(async () => toTargetAlbum(await client.albums.get(name, given))),
    imageNamed: (album, name) => ifThere(async () => toTargetImage(await client.image(album.name, name, given))),
    imageById: (id) => ifThere(async () => toTargetImage(await client.imageById(id, given))),
    async createAlbum({ name, title, description, metadata, visibility }) {
      const isPublic = visibility === "public" ? { visibility } : {};
      return toTargetAlbum(await client.albums.create({ name, title, description, metadata, ...isPublic }, given));
    },
    updateAlbum: async (album, patch) => toTargetAlbum(await client.albums.update(album.name, patch, given)),
    deleteAlbum: async (album) => client.albums.delete(album.name, { ...given, recursive: true }),
    async receive(image, open) {
      const bytes = await (await open()).arrayBuffer().catch((cause: unknown) => {
        signal.throwIfAborted();
        throw lostConnection(cause);
      });
      requireDigest(image, new Bun.CryptoHasher("sha256").update(bytes).digest("hex"), bytes.byteLength);
      return { bytes: new Uint8Array(bytes), discard: async () => {} };
    },
    async store(images) {
      const stored: TargetImage[] = [];
      // One after another: their order is that of their creation.
      for (const image of images) stored.push(await storeOne(image));
      return stored;
    },
    updateImage: async (album, image, patch) =>
      toTargetImage(await client.update(album.name, image.name, patch, given)),
    moveImage: async (from, image, to, name) =>
      toTargetImage(await client.move(from.name, image.name, { album: to.name, name }, given)),
    deleteImage: (album, image) => client.delete(album.name, image.name, given),
    async align() {},
    async digestOf({ id }) {
      const image = await ifThere(() => client.imageById(id, given));
      const response = image && (await ifThere(() => client.download(image, given)));
      if (response === undefined) return undefined;
      return new Bun.CryptoHasher("sha256").update(await response.arrayBuffer()).digest("hex");
    },
    async [Symbol.asyncDispose]() {},
  };
}

/** Which store it is, and which epoch its log has: a restored copy has another one. Undefined before its first event. */
export async function identityOf(client: Client, signal: AbortSignal): Promise<string | undefined> {
  const { items, nextCursor } = await client.send("GET", "/v1/events", { query: { limit: 1 }, signal });
  const [first] = items;
  return first && `${first.source} ${decodeCursor(nextCursor)?.epoch}`;
}

/** The target's key need not have the right `events`. */
function unlessForbidden(error: unknown): undefined {
  if (!(error instanceof StoreError) || error.code !== "forbidden") throw error;
}

/** @throws StoreError `unreachable` if bytes are missing: they may all come next time */
export function requireDigest({ sha256, size }: Pick<Image, "sha256" | "size">, arrived: string, bytes: number): void {
  if (arrived === sha256) return;
  if (bytes < size) throw lostConnection();
  throw new StoreError("The bytes that arrived do not have the image's digest.", { status: 0, code: "unreachable" });
}

const GONE: ReadonlySet<string> = new Set(["album_not_found", "image_not_found", "not_found", "blob_damaged"]);

async function ifThere<Value>(read: () => Promise<Value>): Promise<Value | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof StoreError && GONE.has(error.code)) return undefined;
    throw error;
  }
}
