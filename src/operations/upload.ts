import { type Album, requireTextBounds } from "../domain/album.ts";
import type { NewBlob } from "../domain/blob.ts";
import { authorize, type Caller, may, requesterOf, visibleAlbums } from "../domain/caller.ts";
import type { Idempotency, PutImage, PutImages, Replayable } from "../domain/change.ts";
import { albumNotFound, imageExists, StoreError } from "../domain/errors.ts";
import { EMPTY_IMAGE_FIELDS } from "../domain/image.ts";
import type { BlobStore, StagedBlob } from "../ports.ts";
import type { RunningKeys } from "./idempotency.ts";
import { refuseWithoutRoom } from "./quotas.ts";
import { type RefusedImage, refusalOf, refusedNames, withoutStored, withParts } from "./refused-images.ts";
import type { RequestCatalog } from "./request-catalog.ts";
import {
  discardAll,
  type IncomingImage,
  refuseEarly,
  type StageDeps,
  type StagedImage,
  type StagedImages,
  type StageOptions,
  stageImages,
} from "./stage-images.ts";
import type { UploadSlots } from "./upload-slots.ts";

export interface UploadDeps extends StageDeps {
  readonly catalog: Pick<RequestCatalog, "album" | "recentQuotas" | "hasAnswered" | "image" | "quotas" | "write">;
  readonly blobs: Pick<BlobStore, "stage" | "commit" | "discard" | "release" | "remove">;
  readonly runningKeys: RunningKeys;
  readonly uploadSlots: UploadSlots;
}

export interface Upload extends StageOptions {
  /** Of the album, where it is known already. Then the caller must have been authorized. */
  readonly albumId?: string;
  /** The names and fields of the images, called once the whole form was read. If it throws, nothing is stored. */
  readonly complete?: (staged: readonly StagedImage[]) => readonly StagedImage[] | Promise<readonly StagedImage[]>;
  /** Who the caller is once all has arrived. Absent: as before. @throws StoreError `unauthorized` where it was revoked */
  readonly callerNow?: () => Promise<Caller>;
  readonly idempotency?: UploadIdempotency | undefined;
  readonly traceparent?: string | undefined;
  /** The size of the one image, where the request declares it. */
  readonly declaredBytes?: number | undefined;
}

/** An idempotency key whose fingerprint depends on what arrives. */
export interface UploadIdempotency extends Pick<Idempotency, "scope" | "key"> {
  fingerprint(staged: StagedImages): string;
}

export interface Uploaded extends Replayable<readonly PutImage[]> {
  /** Images of a form that were not stored while others were. */
  readonly refused: readonly RefusedImage[];
  /** The position of each part by the name of its image. */
  readonly parts: ReadonlyMap<string, number | undefined>;
}

/**
 * Stores images, all or none unless `onRefusal` says otherwise. Bytes, records and events are durable when it resolves.
 * @throws StoreError `album_not_found` and `forbidden`, before a byte is read; `busy`; `request_in_progress`;
 * `unsupported_image` when a declared type disagrees; `invalid_request` for a name that comes twice; `too_large`;
 * `empty_body`; what the images throw; those of {@link BlobStore.stage}, {@link Prober.probe} and {@link PutImages}. An
 * error that refuses images of a form has an entry in `errors` for each
 */
export async function uploadImages(deps: UploadDeps, upload: Upload): Promise<Uploaded> {
  using slot = deps.uploadSlots.take();
  using key = deps.runningKeys.take(upload.idempotency);
  // Looked up once, and first: the upload must not land in another album that takes the name meanwhile.
  const album = await findAlbum(deps.catalog, upload);
  if (album !== undefined) await refuseEarlyForQuota(deps.catalog, upload, album.id);
  const staged = await stageImages(deps, upload);
  const committed = await commitImages(deps, upload, staged);
  const { images, refused } = committed;
  try {
    const done = await write(deps, changeOf(upload, album, committed), upload);
    const parts = new Map(images.map(({ name, part }) => [name, part]));
    return { ...done, refused: [...refused, ...(await refusedOnWrite(deps, upload, images, done))], parts };
  } catch (error) {
    // The bytes stay for the sweeper: a change that seems to have failed may have been made.
    throw withParts(error, images);
  } finally {
    deps.blobs.release(keysOf(images));
  }
}

const blobsOf = (images: readonly StagedImage[]) => images.map(({ blob }) => blob);
const keysOf = (images: readonly StagedImage[]) => images.map(({ blob }) => blob.key);

/** Images whose bytes are durable. */
interface CommittedImages extends StagedImages {
  /** In the order of the images. */
  readonly locations: readonly string[];
  /** Whether the blobs have pending rows. */
  readonly reserved: boolean;
  readonly caller: Caller;
}

/** Commits what the whole form leaves to be stored. On failure the staged bytes are discarded. */
async function commitImages(deps: UploadDeps, upload: Upload, staged: StagedImages): Promise<CommittedImages> {
  try {
    const caller = (await upload.callerNow?.()) ?? upload.caller;
    if (caller !== upload.caller) authorize(caller, "add");
    const completed = { ...(await completeAll(deps, upload, staged)), caller };
    const reserved = await reserve(deps, completed.images);
    const locations = await commitAll(deps.blobs, completed.images);
    return { ...completed, locations, reserved };
  } catch (error) {
    await discardAll(deps.blobs, blobsOf(staged.images));
    deps.blobs.release(keysOf(staged.images));
    throw error;
  }
}

type RequestedImages = PutImages & Required<Pick<PutImages, "by">>;

function changeOf(upload: Upload, album: UploadAlbum, committed: CommittedImages): RequestedImages {
  const { mode, preconditions, ticket, traceparent } = upload;
  const { caller, images, locations, reserved } = committed;
  const idempotency = idempotencyOf(upload, committed);
  return {
    type: "putImages",
    albumId: album?.id ?? null,
    mode,
    ...(may(caller, "write", album) ? {} : { addOnly: true }),
    images: images.map((image, index) => newImage(image, locations[index] ?? "", reserved)),
    ...(preconditions === undefined ? {} : { preconditions }),
    ...(idempotency === undefined ? {} : { idempotency }),
    ...(ticket === undefined ? {} : { ticket }),
    by: requesterOf(caller, "add"),
    ...(traceparent === undefined ? {} : { traceparent }),
  };
}

/** Undefined when the key has an answer, which is replayed whatever has become of the album since. */
type UploadAlbum = Pick<Album, "id" | "name"> | undefined;

async function findAlbum(catalog: UploadDeps["catalog"], upload: Upload): Promise<UploadAlbum> {
  if (upload.albumId !== undefined) return { id: upload.albumId, name: upload.album };
  const album = await catalog.album(upload.album, visibleAlbums(upload.caller));
  authorize(upload.caller, "add", album);
  if (album !== undefined) return album;
  const { idempotency } = upload;
  if (idempotency === undefined || !(await catalog.hasAnswered(idempotency))) throw albumNotFound();
  return undefined;
}

/** A repeated request is not refused: it may have been stored the first time. That by a ticket is looked at before. */
async function refuseEarlyForQuota(catalog: UploadDeps["catalog"], upload: Upload, albumId: string): Promise<void> {
  if (upload.ticket !== undefined) return;
  const { album, caller, declaredBytes, idempotency, mode, images } = upload;
  const [image] = mode === "put" && Array.isArray(images) ? (images as readonly IncomingImage[]) : [];
  try {
    await refuseWithoutRoom(catalog, { caller, album, albumId, replaces: image?.name, bytes: declaredBytes ?? 1 });
  } catch (error) {
    if (idempotency === undefined || !(await catalog.hasAnswered(idempotency))) throw error;
  }
}

const idempotencyOf = ({ idempotency }: Upload, staged: StagedImages): Idempotency | undefined =>
  idempotency && { scope: idempotency.scope, key: idempotency.key, fingerprint: idempotency.fingerprint(staged) };

/**
 * The images as the whole form describes them, without those that it refuses.
 * @throws StoreError what refuses an image, where the others are not stored without it
 */
async function completeAll(
  { blobs, catalog }: UploadDeps,
  upload: Upload,
  staged: StagedImages,
): Promise<StagedImages> {
  const images: StagedImage[] = [];
  const late: RefusedImage[] = [];
  for (const image of (await upload.complete?.(staged.images)) ?? staged.images) {
    const { name, fields = EMPTY_IMAGE_FIELDS, mayBeRenamed } = image;
    if (upload.complete !== undefined) requireTextBounds(fields);
    const error = mayBeRenamed === true ? await refusalOfName(catalog, upload, name) : undefined;
    if (error === undefined) images.push(image);
    else late.push({ ...image, error });
  }
  const refused = [...staged.refused, ...late].toSorted((one, other) => (one.part ?? 0) - (other.part ?? 0));
  const [first] = refused;
  if (first !== undefined && (upload.onRefusal !== "store others" || images.length === 0)) {
    throw refusalOf(first.error, refused);
  }
  await discardAll(blobs, blobsOf(staged.images.filter(({ part }) => late.some((image) => image.part === part))));
  return { images, refused };
}

const refusalOfName = (catalog: UploadDeps["catalog"], upload: Upload, name: string) =>
  refuseEarly(catalog, upload, name).then(
    () => undefined,
    (error: unknown) => {
      if (error instanceof StoreError && error.code === "image_exists") return error;
      throw error;
    },
  );

/**
 * In a shared store, records the blobs as pending before their bytes are sent, so that the sweeper finds them whatever
 * happens to this process.
 * @returns whether the store is shared
 */
async function reserve({ catalog }: UploadDeps, images: readonly StagedImage[]): Promise<boolean> {
  const reserved = images.flatMap(({ blob }) => (blob.location === undefined ? [] : [newBlob(blob, blob.location)]));
  if (reserved.length === 0) return false;
  await catalog.write({ type: "reserveBlobs", blobs: reserved });
  return true;
}

const newBlob = ({ key, size, sha256, crc32 }: StagedBlob, location: string): NewBlob => ({
  key,
  location,
  size,
  sha256,
  crc32,
});

const newImage = ({ name, fields, blob, info }: StagedImage, location: string, reserved: boolean) => ({
  id: Bun.randomUUIDv7(),
  name,
  ...(fields === undefined ? {} : { fields }),
  info,
  blob: { ...newBlob(blob, location), ...(reserved && { reserved }) },
});

/** How many blobs of one request are committed at once. */
const COMMITS_AT_ONCE = 32;

/** @returns the locations, in the order of the images */
async function commitAll(blobs: UploadDeps["blobs"], images: readonly StagedImage[]): Promise<readonly string[]> {
  const locations: string[] = [];
  for (let at = 0; at < images.length; at += COMMITS_AT_ONCE) {
    const batch = images.slice(at, at + COMMITS_AT_ONCE);
    // Waits for all: a blob that is being committed cannot be discarded.
    for (const outcome of await Promise.allSettled(batch.map(({ blob }) => blobs.commit(blob)))) {
      if (outcome.status === "rejected") throw outcome.reason;
      locations.push(outcome.value);
    }
  }
  return locations;
}

interface Written extends Replayable<readonly PutImage[]> {
  /** Why images were left out, by their names. */
  readonly leftOut: ReadonlyMap<string, StoreError>;
}

/** Writes the change. Where others may be stored without them, leaves out the images that it refuses. */
async function write({ catalog, blobs }: UploadDeps, change: RequestedImages, { onRefusal }: Upload): Promise<Written> {
  const leftOut = new Map<string, StoreError>();
  for (let left = change.images; ; ) {
    try {
      return { ...(await catalog.write({ ...change, images: left })), leftOut };
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      // The one failure after which the bytes surely have no record. The sweeper may have looked for them before they came.
      if (error.code === "upload_expired") await removeAll(blobs, change);
      const refused = refusedNames(error);
      if (onRefusal !== "store others" || refused.size === 0) throw error;
      for (const [name, reason] of refused) leftOut.set(name, reason);
      left = left.filter(({ name }) => !refused.has(name));
      if (left.length === 0) throw allRefused(error, change, leftOut);
    }
  }
}

function allRefused(error: StoreError, { images }: PutImages, leftOut: ReadonlyMap<string, StoreError>): StoreError {
  const errors = images.flatMap(({ name }) => {
    const refused = leftOut.get(name);
    return refused === undefined ? [] : { name, code: refused.code, detail: refused.message };
  });
  return new StoreError(error.code, error.message, { errors, members: error.members });
}

/** The images that the change left out. A replayed answer does not say why: where the name is free, it was a quota. */
function refusedOnWrite(
  { catalog }: UploadDeps,
  { album, caller }: Upload,
  images: readonly StagedImage[],
  { leftOut, replayed, value }: Written,
): Promise<readonly RefusedImage[]> {
  if (!replayed && leftOut.size === 0) return Promise.resolve([]);
  const explain = async (name: string): Promise<StoreError> => {
    const known = leftOut.get(name);
    if (known !== undefined) return known;
    const present = await catalog.image(album, name, visibleAlbums(caller, "write"));
    return present === undefined
      ? new StoreError("quota_exceeded", "The upload did not fit into a quota.")
      : imageExists();
  };
  return Promise.all(
    withoutStored(images, value).map(async (image) => ({ ...image, error: await explain(image.name) })),
  );
}

/** Best effort: the sweeper looks for them again. */
const removeAll = (blobs: UploadDeps["blobs"], { images }: PutImages) =>
  Promise.allSettled(images.map(({ blob }) => blobs.remove(blob.location)));
