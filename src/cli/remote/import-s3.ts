import { setImmediate } from "node:timers/promises";
import type { AlbumFields } from "../../../client/src/index.ts";
import { StoreError } from "../../../client/src/index.ts";
import { createS3Source, type S3Source } from "../../adapters/blobs/s3/source.ts";
import { ObjectSourceError } from "../../adapters/blobs/s3/source-error.ts";
import { createLimit } from "../../concurrency/limit.ts";
import { parseBlobsUrl, type S3Url } from "../../config/urls.ts";
import { parseName } from "../../domain/names.ts";
import { seeHelp, UsageError } from "../arguments.ts";
import { folderMetadata, nameOfFolder } from "./album-folder.ts";
import { type BucketObject, type BucketObjects, openBucketObjects } from "./bucket-objects.ts";
import type { RemoteCall } from "./connection.ts";
import { describeAlbum } from "./describe-album.ts";
import { openStamped, type StampedDigests } from "./digests.ts";
import { type Listing, openListing } from "./listing.ts";
import type { FileProgress } from "./progress.ts";
import { isImageObject, readObject, readText } from "./read-object.ts";
import { ALBUM_FILE, EXTENSION, parseObject, requireSidecarSize, type Sidecar, sidecarFrom } from "./sidecars.ts";
import { type AlbumTarget, keepBytes, listAlbum, sendBytes } from "./sync-up.ts";
import { forEach, IN_FLIGHT, startTransfer, type Transfer } from "./transfer.ts";

interface Import {
  readonly call: RemoteCall;
  readonly place: S3Url;
  readonly isDry: boolean;
  readonly transfer: Transfer;
  readonly source: S3Source;
  readonly objects: BucketObjects;
  readonly digests: StampedDigests;
  /** Albums that folders have become, with the folders. */
  readonly taken: Map<string, string>;
  /** So few objects that are not small are in memory at a time. */
  readonly limited: <Result>(work: () => Promise<Result>) => Promise<Result>;
}

/** Larger objects are limited in number. */
const SMALL = 2 * 1024 * 1024;
const LARGE_AT_ONCE = 4;

/** Makes an album of each folder of keys that has images. What is under the prefix is listed once, before the first object is read. */
export async function importBucket(call: RemoteCall, url: string): Promise<number> {
  const place = readPlace(url);
  const { context, signal } = call;
  const isDry = call.has("dry-run");
  using transfer = startTransfer(call, { isDry });
  using source = createS3Source(place);
  using objects = openBucketObjects();
  using digests = await openStamped(context.env, `${place.endpoint ?? "s3:"}/${place.bucket}`);
  const limited = createLimit(LARGE_AT_ONCE);
  const run: Import = { call, place, isDry, transfer, source, objects, digests, taken: new Map(), limited };
  const leave = () => source[Symbol.dispose]();
  signal.addEventListener("abort", leave);
  try {
    await listObjects(run);
    for (const folder of objects.folders()) await importAlbum(run, folder);
  } finally {
    signal.removeEventListener("abort", leave);
  }
  return transfer.finish();
}

function readPlace(url: string): S3Url {
  try {
    const place = parseBlobsUrl(url);
    if (place.kind === "s3") return place;
  } catch (error) {
    throw new UsageError(`The S3 URL ${(error as Error).message}. ${seeHelp("import")}`);
  }
  throw new UsageError(`"import" needs a folder or an S3 URL. ${seeHelp("import")}`);
}

const folderPathOf = (run: Import, folder: string): string =>
  pathOf(run, folder === "." ? run.place.prefix : `${run.place.prefix}${folder}/`);
const pathOf = ({ place }: Pick<Import, "place">, key: string): string => `s3://${place.bucket}/${key}`;

async function listObjects(run: Import): Promise<void> {
  const { place, source, objects, transfer, call } = run;
  let found = 0;
  try {
    for await (const page of source.list()) {
      call.signal.throwIfAborted();
      for (const object of page) {
        const path = object.key.slice(place.prefix.length);
        const end = path.lastIndexOf("/");
        const name = path.slice(end + 1);
        found += 1;
        // What consoles make for an empty folder.
        if (name === "" && object.size === 0) continue;
        objects.add({ ...object, folder: end < 0 ? "." : path.slice(0, end), name });
        if (!name.endsWith(EXTENSION)) transfer.progress.expect({ files: 1, bytes: object.size });
      }
    }
  } catch (error) {
    call.signal.throwIfAborted();
    if (!(error instanceof ObjectSourceError)) throw error;
    throw new Error(`${pathOf(run, place.prefix)} could not be listed: ${error.message}.`, { cause: error });
  }
  if (found === 0) throw new Error(`There is no object under ${pathOf(run, place.prefix)}.`);
  transfer.progress.expectNoMore();
}

/** An album cannot be written, so none of its images can. */
class AlbumError extends Error {}

/** An album that is made or listed when its first image is found: a folder without images becomes none. */
interface Album {
  readonly folder: string;
  open(): Promise<{ readonly target: AlbumTarget; readonly listing: Listing }>;
}

async function importAlbum(run: Import, folder: string): Promise<void> {
  const { call, objects, transfer } = run;
  using listing = openListing();
  let opened: Promise<AlbumTarget> | undefined;
  const album: Album = {
    folder,
    async open() {
      opened ??= openAlbum(run, folder, listing).catch((cause: unknown) => {
        throw new AlbumError("The album cannot be written.", { cause });
      });
      return { target: await opened, listing };
    },
  };
  try {
    requireFolder(folder);
    if (objects.find(folder, ALBUM_FILE) !== undefined) await album.open();
    await forEach(
      withPauses(objects.in(folder), call),
      call.signal,
      (object) => importObject(run, album, object),
      2 * IN_FLIGHT,
    );
  } catch (error) {
    transfer.fail(folderPathOf(run, folder), error instanceof AlbumError ? error.cause : error);
  }
}

/** Objects that were read before are passed without any input or output: what was printed has to leave, and signals to arrive. */
async function* withPauses<Item>(items: Iterable<Item>, { context }: RemoteCall): AsyncGenerator<Item, void> {
  let count = 0;
  for (const item of items) {
    count += 1;
    if (count % PAUSE_EVERY === 0) await Promise.all([context.printed?.(), setImmediate()]);
    yield item;
  }
}
const PAUSE_EVERY = 100;

/** A folder of a file system has none of these, so that no export could write it. */
function requireFolder(folder: string): void {
  const bad = folder === "." ? undefined : folder.split("/").find((part) => ["", ".", ".."].includes(part));
  if (bad !== undefined) throw new Error(`its keys have the part "${bad}", which cannot be the name of a folder`);
}

async function openAlbum(run: Import, folder: string, listing: Listing): Promise<AlbumTarget> {
  const { call, place, isDry, transfer, taken } = run;
  const file = run.objects.find(folder, ALBUM_FILE);
  const described = file === undefined ? undefined : await readFields(run, file);
  const { name: given, metadata, ...fields } = (described ?? {}) as AlbumFields;
  const name = parseName(given ?? nameOfFolder(`/${place.bucket}/${place.prefix}`, folder));
  const other = taken.get(name);
  if (other !== undefined)
    throw new Error(`its album ${name} is that of ${other}; give it another name in ${ALBUM_FILE}`);
  taken.set(name, folderPathOf(run, folder));
  const wanted = { ...fields, metadata: { ...metadata, ...folderMetadata(folder, name) } };
  if (!isDry) await describeAlbum(call, name, wanted, described !== undefined);
  await listAlbum({ call, album: name, isDry, listing, withSidecars: true });
  return { call, album: name, isDry, transfer };
}

async function readFields({ source, place }: Import, object: BucketObject) {
  const path = pathOf({ place }, object.key);
  requireSidecarSize(object.size, path);
  return parseObject(await readText(source, object), path);
}

async function importObject(run: Import, album: Album, object: BucketObject): Promise<void> {
  const { transfer, objects, limited, call } = run;
  const { folder, name, key, size } = object;
  const isSidecar = name.endsWith(EXTENSION) && objects.find(folder, name.slice(0, -EXTENSION.length)) !== undefined;
  if (name === ALBUM_FILE || isSidecar) return;
  using progress = transfer.progress.begin(size);
  try {
    const send = () => sendObject(run, album, object, progress);
    await (size <= SMALL ? send() : limited(send));
  } catch (error) {
    call.signal.throwIfAborted();
    if (error instanceof AlbumError) throw error;
    // An upload whose body cannot be read to its end breaks the connection to the store.
    const isOfSource = error instanceof StoreError && error.cause instanceof ObjectSourceError;
    transfer.fail(pathOf(run, key), isOfSource ? error.cause : error);
  }
}

async function sendObject(run: Import, album: Album, object: BucketObject, progress: FileProgress): Promise<void> {
  const { digests, source, transfer, isDry, place } = run;
  const { key, size } = object;
  const path = pathOf({ place }, key);
  const name = parseName(object.name);
  const known = digests.find(key, stampOf(object));
  if (known === null || size === 0) return transfer.skip(path, "it is not an image");
  const isNew = known === undefined;
  if (isNew && isDry && !(await isImageObject(source, object))) return transfer.skip(path, "it is not an image");
  const read = isNew && !isDry ? await readNew(run, object) : undefined;
  if (read?.isImage === false) return transfer.skip(path, "it is not an image");
  const { target, listing } = await album.open();
  const { image, isTwice } = listing.mark(name);
  if (isTwice) throw new Error("another key has the same name in Unicode normal form C");
  const sidecar = await readSidecar(run, object, image?.sidecar);
  // Of a dry run: a new name is new whatever its bytes are.
  const digest = known ?? read?.sha256 ?? (image && (await readNew(run, object)).sha256);
  if (image !== undefined && image.sha256 === digest) return keepBytes(target, path, name, image, sidecar);
  const file = { path, size, sha256: digest ?? "", bytes: read?.bytes, open: () => source.read(object) };
  await sendBytes(target, progress, file, name, image, sidecar);
}

/** Both change with the bytes, but not every server's ETag is one of the bytes. */
const stampOf = ({ size, etag, modifiedAt }: BucketObject): string => `${size} ${etag} ${modifiedAt}`;

async function readNew({ source, digests }: Import, object: BucketObject) {
  const read = await readObject(source, object);
  if (object.etag !== "") digests.keep(object.key, stampOf(object), read.isImage ? read.sha256 : null);
  return read;
}

/**
 * The fields in the object beside the image. Undefined if there is none, or if it is as it was when it was read and the image has
 * these fields.
 */
async function readSidecar(run: Import, { folder, name }: BucketObject, before = ""): Promise<Sidecar | undefined> {
  const { digests, objects } = run;
  const object = objects.find(folder, name + EXTENSION);
  if (object === undefined) return undefined;
  const known = digests.find(object.key, stampOf(object));
  if (known !== undefined && known === Bun.SHA256.hash(before, "hex")) return undefined;
  const sidecar = sidecarFrom(await readFields(run, object), pathOf(run, object.key));
  if (object.etag !== "") digests.keep(object.key, stampOf(object), Bun.SHA256.hash(sidecar.text, "hex"));
  return sidecar;
}
