import { requireTextBounds } from "../domain/album.ts";
import { authorize, type Caller, may, requesterOf, visibleAlbums, wholeOriginals } from "../domain/caller.ts";
import type { Idempotency, IfExists, PutImage, PutImages, Replayable } from "../domain/change.ts";
import { bytesNotFound, imageExists, imageNotFound, StoreError } from "../domain/errors.ts";
import type { ImageFields, StoredImage } from "../domain/image.ts";
import { numberedName } from "../domain/names.ts";
import type { Asking, ImageDestination, ImageTarget } from "../domain/request-types.ts";
import { requireDestination, requireOriginals } from "../domain/requests.ts";
import type { PublicOriginals } from "../domain/variant.ts";
import type { AlbumRef } from "../domain/visibility.ts";
import type { BlobStore } from "../ports.ts";
import type { RunningKeys } from "./idempotency.ts";
import { refuseWithoutRoom } from "./quotas.ts";
import type { RequestCatalog } from "./request-catalog.ts";
import type { UploadSlots } from "./upload-slots.ts";

export interface CopyDeps {
  readonly catalog: Pick<
    RequestCatalog,
    "album" | "hasAnswered" | "image" | "imageById" | "knownImages" | "quotas" | "recentQuotas" | "write"
  >;
  readonly blobs: Pick<BlobStore, "stageCopy" | "commit" | "discard" | "release">;
  readonly runningKeys: RunningKeys;
  readonly uploadSlots: UploadSlots;
  readonly publicOriginals: PublicOriginals;
}

export interface CopyRequest extends Asking {
  /** An image, whose fields are copied too, or bytes that any image has. */
  readonly source:
    | Pick<ImageTarget, "album" | "name">
    | { readonly sha256: string; readonly fields?: ImageFields | undefined };
  readonly target: ImageDestination;
  readonly ifExists: IfExists;
  readonly idempotency?: Idempotency | undefined;
  /** Who the caller is once the bytes are copied. */
  readonly callerNow: () => Promise<Caller>;
}

/**
 * Stores a new image with bytes that the store has: its own copy of them. No byte comes from the client.
 * @throws StoreError `album_not_found`, `image_not_found`, `bytes_not_found`, `forbidden`, `original_not_shared`, `image_exists`,
 * `quota_exceeded`, `request_in_progress`, `idempotency_key_reused`, `busy`; those of {@link BlobStore}
 */
export async function copyImage(deps: CopyDeps, request: CopyRequest): Promise<Replayable<PutImage>> {
  using slot = deps.uploadSlots.take();
  using key = deps.runningKeys.take(request.idempotency);
  const { idempotency } = request;
  // Its albums and bytes may be gone by now.
  if (idempotency !== undefined && (await deps.catalog.hasAnswered(idempotency)))
    return onlyOne(await deps.catalog.write(changeOf(request, request.caller, undefined, [])));
  for (let attempt = 1; ; attempt += 1) {
    const found = await find(deps, request);
    try {
      return await copy(deps, request, found);
    } catch (error) {
      if (attempt === MAX_ATTEMPTS || !(await isStale(deps, request, found, error))) throw error;
    }
  }
}

/** The store may move the bytes of an image, and any image may be deleted, while they are copied. */
const MAX_ATTEMPTS = 3;

interface Found {
  readonly to: AlbumRef & { readonly id: string };
  readonly original: StoredImage;
}

/** Whether another attempt finds something else. */
async function isStale(deps: CopyDeps, request: CopyRequest, { original }: Found, error: unknown): Promise<boolean> {
  if (!(error instanceof StoreError)) return false;
  if (error.code === "image_not_found") return true;
  if (error.code !== "blob_damaged") return false;
  return (await find(deps, request)).original.location !== original.location;
}

async function find(deps: CopyDeps, request: CopyRequest): Promise<Found> {
  const { catalog, publicOriginals } = deps;
  const { caller, source, target } = request;
  const readable = wholeOriginals(caller, publicOriginals);
  if ("sha256" in source) {
    const to = await requireDestination(catalog, caller, target.album);
    const [known] = await catalog.knownImages({ visibility: readable, sha256: [source.sha256] });
    const original = known && (await catalog.imageById(known.id, readable));
    if (original?.image.sha256 !== source.sha256) throw bytesNotFound();
    return { to, original };
  }
  await requireOriginals(catalog, caller, source.album, publicOriginals, "read");
  const to = await requireDestination(catalog, caller, target.album);
  const original = await catalog.image(source.album, source.name, readable);
  if (original === undefined) throw imageNotFound();
  return { to, original };
}

async function copy(deps: CopyDeps, request: CopyRequest, { to, original }: Found): Promise<Replayable<PutImage>> {
  const { catalog, blobs } = deps;
  const { image, location } = original;
  const { size, sha256 } = image;
  const name = request.target.name ?? image.name;
  const fields = "sha256" in request.source ? request.source.fields : fieldsOf(image);
  if (fields !== undefined) requireTextBounds(fields);
  const number = await requirePlace(catalog, request, { to, name, sha256, fields });
  const replaces = request.ifExists === "replace" ? name : undefined;
  await refuseWithoutRoom(catalog, { caller: request.caller, album: to.name, albumId: to.id, replaces, bytes: size });
  const staged = await blobs.stageCopy(location, { size, sha256 });
  try {
    const blob = await commit(deps, staged);
    const caller = await request.callerNow();
    if (caller !== request.caller) authorize(caller, "add", to);
    const copyOf = {
      imageId: image.id,
      readable: wholeOriginals(caller, deps.publicOriginals),
      isNamed: !("sha256" in request.source),
    };
    return await write(
      deps,
      changeOf(request, caller, to, [
        { id: Bun.randomUUIDv7(), name, ...(fields === undefined ? {} : { fields }), info: image, blob, copyOf },
      ]),
      { ifExists: request.ifExists, number },
    );
  } catch (error) {
    await blobs.discard(staged);
    throw error;
  } finally {
    blobs.release([staged.key]);
  }
}

const fieldsOf = ({ title, description, metadata, tags, focalPoint }: ImageFields): ImageFields => ({
  title,
  description,
  metadata,
  tags,
  focalPoint,
});

/** In a shared store the row comes first, so that the sweeper finds the bytes whatever happens to this process. */
async function commit(
  { catalog, blobs }: Pick<CopyDeps, "catalog" | "blobs">,
  staged: Awaited<ReturnType<BlobStore["stageCopy"]>>,
) {
  const { key, location, size, sha256, crc32 } = staged;
  const blob = { key, size, sha256, ...(crc32 === undefined ? {} : { crc32 }) };
  if (location !== undefined) await catalog.write({ type: "reserveBlobs", blobs: [{ ...blob, location }] });
  return { ...blob, location: await blobs.commit(staged), ...(location !== undefined && { reserved: true }) };
}

type CopyChange = PutImages & Required<Pick<PutImages, "by">>;

function changeOf(
  { ifExists, idempotency, traceparent }: CopyRequest,
  caller: Caller,
  to: Found["to"] | undefined,
  images: PutImages["images"],
): CopyChange {
  return {
    type: "putImages",
    albumId: to?.id ?? null,
    mode: ifExists === "replace" ? "put" : "create",
    ...(may(caller, "write", to) ? {} : { addOnly: true }),
    images,
    by: requesterOf(caller, "add"),
    ...(idempotency === undefined ? {} : { idempotency }),
    ...(traceparent === undefined ? {} : { traceparent }),
  };
}

/** Names that are tried before an image is refused. */
const MAX_NUMBER = 1000;

const nameAt = (name: string, number: number): string => (number === 1 ? name : numberedName(name, number));

interface Place {
  readonly to: AlbumRef;
  readonly name: string;
  readonly sha256: string;
  readonly fields: ImageFields | undefined;
}

/**
 * Reports before the bytes are copied what the change would report after it, when a small request would have cost the disk a large
 * image until the next sweep. Only the change decides.
 * @returns the first number with which the name is free
 * @throws StoreError `image_exists`, `forbidden`
 */
async function requirePlace(
  catalog: CopyDeps["catalog"],
  { caller, ifExists }: CopyRequest,
  { to, name, sha256, fields }: Place,
): Promise<number> {
  const imageAt = (number: number) => catalog.image(to.name, nameAt(name, number), visibleAlbums(caller, "add"));
  const present = (await imageAt(1))?.image;
  if (present === undefined) return 1;
  if (ifExists === "fail") throw imageExists([name]);
  if (ifExists === "keep-both") {
    for (let number = 2; number <= MAX_NUMBER; number += 1) if ((await imageAt(number)) === undefined) return number;
    throw imageExists([nameAt(name, MAX_NUMBER)]);
  }
  const isSame = present.sha256 === sha256 && (fields === undefined || Bun.deepEquals(fieldsOf(present), fields));
  if (!isSame) authorize(caller, "write", to);
  return 1;
}

async function write(
  { catalog }: CopyDeps,
  change: CopyChange,
  { ifExists, number: first }: Pick<CopyRequest, "ifExists"> & { readonly number: number },
): Promise<Replayable<PutImage>> {
  const [image] = change.images;
  if (image === undefined) throw new Error("There is no image to copy.");
  for (let number = first; ; number += 1) {
    const name = nameAt(image.name, number);
    try {
      return onlyOne(await catalog.write({ ...change, images: [{ ...image, name }] }));
    } catch (error) {
      const isTaken = error instanceof StoreError && error.code === "image_exists";
      if (!isTaken || ifExists !== "keep-both" || number === MAX_NUMBER) throw error;
    }
  }
}

function onlyOne({ value, replayed }: Replayable<readonly PutImage[]>): Replayable<PutImage> {
  const [put] = value;
  if (put === undefined) throw new Error("The catalog answered no image for one.");
  return { value: put, replayed };
}
