import { type FollowedEvent, type FollowOptions, follow } from "./follow.ts";
import { pages } from "./pages.ts";
import type {
  Album,
  AlbumFields,
  AlbumFilter,
  AlbumPatch,
  BatchOperation,
  BatchOutcome,
  Image,
  ImageByDigest,
  ImageDestination,
  ImageFilter,
  ImagePatch,
  KnownImage,
  Variant,
} from "./records.ts";
import { createSend, type Send } from "./request.ts";
import { createTransport, type TransportOptions } from "./transport.ts";
import { type Uploadable, type UploadOptions, upload } from "./upload.ts";
import { variantUrl } from "./variants.ts";

/** Every call takes one. The rejection is then the signal's reason. */
interface Cancellable {
  readonly signal?: AbortSignal;
}

export type ClientOptions = Partial<TransportOptions>;

/** A store. Every call rejects with `StoreError`. */
export interface Client {
  /** Any operation of openapi.json: `send("GET", "/v1/albums/{album}", { path: { album: "Summer" } })`. */
  readonly send: Send;
  readonly albums: {
    create(album: { readonly name: string } & AlbumFields, options?: Cancellable): Promise<Album>;
    get(name: string, options?: Cancellable): Promise<Album>;
    /** All of them, page after page. */
    list(filter?: AlbumFilter, options?: Cancellable): AsyncGenerator<Album, void>;
    update(name: string, patch: AlbumPatch, options?: Cancellable): Promise<Album>;
    /** With `recursive`, its images too. */
    delete(name: string, options?: Cancellable & { readonly recursive?: boolean }): Promise<void>;
  };
  /** The images of an album, page after page; those of all albums without one. */
  images(album?: string, filter?: ImageFilter, options?: Cancellable): AsyncGenerator<Image, void>;
  image(album: string, name: string, options?: Cancellable): Promise<Image>;
  imageById(id: string, options?: Cancellable): Promise<Image>;
  upload(album: string, file: Uploadable, options?: UploadOptions): Promise<Image>;
  /** Which of up to 1,000 digests the store has, in images that the key may read: for each that is known one image. */
  known(sha256: readonly string[], options?: Cancellable): Promise<readonly KnownImage[]>;
  /** An image of bytes that the store has. Rejects with `bytes_not_found` where the key may read none with the digest. */
  uploadKnown(album: string, image: ImageByDigest, options?: Cancellable): Promise<Image>;
  update(album: string, name: string, patch: ImagePatch, options?: Cancellable): Promise<Image>;
  /** To another album, under another name or both. Rejects with `image_exists` where that is taken, unless `ifExists` says otherwise. */
  move(album: string, name: string, to: ImageDestination, options?: Cancellable): Promise<Image>;
  /** A new image with bytes of its own. */
  copy(album: string, name: string, to: ImageDestination, options?: Cancellable): Promise<Image>;
  delete(album: string, name: string, options?: Cancellable): Promise<void>;
  /** The bytes of the image as the record has them, or of a variant. */
  download(
    image: Pick<Image, "links">,
    options?: Cancellable & {
      readonly variant?: Variant;
      readonly range?: { readonly start: number; readonly end?: number };
    },
  ): Promise<Response>;
  /**
   * Runs up to 1,000 operations in their order and one transaction: all or none of them. Returns what became of each. When one fails, the
   * rejection's `problem.operation` is its position. With `atomic: false` each is done or refused by itself, as its outcome says.
   */
  batch(
    operations: readonly BatchOperation[],
    options?: Cancellable & { readonly atomic?: boolean },
  ): Promise<readonly BatchOutcome[]>;
  /**
   * All images of an album in one ZIP archive. With a range and the ETag of an earlier response it resumes: the response has status 206,
   * or 200 if the album has changed since, with all of the new archive.
   */
  downloadAlbum(
    name: string,
    options?: Cancellable & {
      readonly range?: { readonly start: number; readonly end?: number };
      readonly etag?: string;
    },
  ): Promise<Response>;
  /** Events as they come, and those that came since `from`. */
  follow(options?: FollowOptions): AsyncGenerator<FollowedEvent, void>;
}

export function createClient({ url = "", ...options }: ClientOptions = {}): Client {
  const transport = createTransport({ url, ...options });
  const send = createSend(transport);
  const client: Client = {
    send,
    albums: {
      create: (body, given) => send("POST", "/v1/albums", { body, ...once(), ...given }),
      get: (album, given) => send("GET", "/v1/albums/{album}", { path: { album }, ...given }),
      list: (filter, given) =>
        pages((token) => send("GET", "/v1/albums", { query: { ...filter, ...token }, ...given })),
      update: (album, body, given) =>
        send("PATCH", "/v1/albums/{album}", { path: { album }, body, ...given }) as Promise<Album>,
      delete: async (album, { recursive = false, ...given } = {}) => {
        const query = recursive ? { recursive } : {};
        await send("DELETE", "/v1/albums/{album}", { path: { album }, query, ...given });
      },
    },
    images: (album, filter, given) =>
      pages((token) => {
        const query = { ...filter, ...token };
        if (album === undefined) return send("GET", "/v1/images", { query, ...given });
        return send("GET", "/v1/albums/{album}/images", { path: { album }, query, ...given });
      }),
    image: (album, image, given) =>
      send("GET", "/v1/albums/{album}/images/{image}", { path: { album, image }, ...given }),
    imageById: (id, given) => send("GET", "/v1/images/{id}", { path: { id }, ...given }),
    known: async (sha256, given) =>
      (await send("POST", "/v1/images/known", { body: { sha256: [...sha256] }, ...given })).items,
    uploadKnown: (album, body, given) =>
      send("POST", "/v1/albums/{album}/known", { path: { album }, body, ...once(), ...given }) as Promise<Image>,
    move: (album, image, body, given) =>
      send("POST", "/v1/albums/{album}/images/{image}/move", {
        path: { album, image },
        body,
        ...once(),
        ...given,
      }) as Promise<Image>,
    copy: (album, image, body, given) =>
      send("POST", "/v1/albums/{album}/images/{image}/copy", {
        path: { album, image },
        body,
        ...once(),
        ...given,
      }) as Promise<Image>,
    upload: (album, file, given) => upload(transport, client, album, file, given),
    update: (album, image, body, given) =>
      send("PATCH", "/v1/albums/{album}/images/{image}", { path: { album, image }, body, ...given }) as Promise<Image>,
    delete: async (album, image, given) => {
      await send("DELETE", "/v1/albums/{album}/images/{image}", { path: { album, image }, ...given });
    },
    download: (image, { variant, range, signal } = {}) =>
      transport.send(
        async () =>
          new Request(variantUrl(image, variant, transport.url), {
            headers: {
              ...(await transport.headers()),
              ...rangeOf(range),
            },
            signal: signal ?? null,
          }),
        { repeatable: true },
      ),
    batch: async (operations, { atomic = true, ...given } = {}) => {
      const { items } = await send("POST", "/v1/batches", {
        body: { atomic, operations: [...operations] },
        ...once(),
        ...given,
      });
      return items;
    },
    downloadAlbum: (name, { range, etag, signal } = {}) =>
      transport.send(
        async () =>
          new Request(`${transport.url}/v1/albums/${encodeURIComponent(name)}/zip`, {
            headers: {
              ...(await transport.headers()),
              ...rangeOf(range),
              ...(etag === undefined ? {} : { "If-Range": etag }),
            },
            signal: signal ?? null,
          }),
        { repeatable: true },
      ),
    follow: (given) => follow(transport, given),
  };
  return client;
}

const rangeOf = (range: { readonly start: number; readonly end?: number } | undefined): Record<string, string> =>
  range === undefined ? {} : { Range: `bytes=${range.start}-${range.end ?? ""}` };

/** So that the request may be sent again where the answer was lost. */
const once = () => ({ headers: { "Idempotency-Key": crypto.randomUUID() } });
