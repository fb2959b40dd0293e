import { lstatSync } from "node:fs";
import { chmod, lstat, mkdir, open, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Image } from "../../../client/src/index.ts";
import type { RemoteCall } from "./connection.ts";
import { type Digests, openDigests } from "./digests.ts";
import { namesIn, nextTemporaryName, processOfTemporary } from "./folder-entries.ts";
import { type Listing, openListing } from "./listing.ts";
import { readLocalFile } from "./local-file.ts";
import type { Amount } from "./progress.ts";
import { DEFAULT_UMASK, receiveFile } from "./receive-file.ts";
import { forEach, startTransfer, type Transfer } from "./transfer.ts";

interface SyncDown {
  readonly call: RemoteCall;
  readonly folder: string;
  readonly isDry: boolean;
  readonly transfer: Transfer;
  readonly digests: Digests;
  readonly listing: Listing;
  readonly extras: Extras | undefined;
  /** Whether the folder had nothing in it when the run began. */
  readonly isEmpty: boolean;
  /** The name as the folder compares it. */
  readonly fold: (name: string) => string;
}

/** What a file gets besides the bytes of its image. */
export interface Extras {
  timeOf(image: Image): Date;
  /**
   * Called when the file has the image's bytes; `isNew`: and its time, and nothing was in the folder before.
   * Returns whether it changed anything.
   */
  place(image: Image, path: string, isNew: boolean): Promise<boolean>;
}

/** Makes the folder as the images are. Files with the same bytes are not received. */
export async function syncDown(
  call: RemoteCall,
  images: AsyncIterable<Image> | Iterable<Image>,
  folder: string,
  expected: Amount,
): Promise<number> {
  using transfer = startTransfer(call, { isDry: call.has("dry-run") });
  transfer.progress.expect(expected);
  transfer.progress.expectNoMore();
  await receiveImages(call, transfer, images, folder);
  return transfer.finish();
}

export async function receiveImages(
  call: RemoteCall,
  transfer: Transfer,
  images: AsyncIterable<Image> | Iterable<Image>,
  folder: string,
  extras?: Extras,
): Promise<void> {
  const { signal } = call;
  const isDry = call.has("dry-run");
  const { fold, isEmpty } = isDry ? AS_IT_IS : await prepareFolder(folder, call.context);
  using listing = openListing();
  using digests = await openDigests(call.context.env, folder);
  const sync: SyncDown = { call, folder, isDry, transfer, digests, listing, fold, isEmpty, extras };
  await forEach(images, signal, (image) => syncImage(sync, image));
  if (call.has("delete")) await forEach(namesIn(folder), signal, (name) => deleteFile(sync, name));
}

type Prepared = Pick<SyncDown, "fold" | "isEmpty">;

const AS_IT_IS: Prepared = { fold: (name) => name, isEmpty: false };

/** Creates it, and removes what killed downloads left. */
async function prepareFolder(folder: string, context: RemoteCall["context"]): Promise<Prepared> {
  const created = await mkdir(folder, { recursive: true });
  if (created !== undefined) await chmod(folder, 0o777 & ~(context.umask ?? DEFAULT_UMASK));
  let isEmpty = true;
  for await (const left of namesIn(folder)) {
    const pid = left === undefined ? undefined : processOfTemporary(left);
    if (left !== undefined && pid !== undefined && !isRunning(pid)) await rm(join(folder, left), { force: true });
    else isEmpty = false;
  }
  const name = nextTemporaryName();
  const probe = join(folder, name);
  await (await open(probe, "w")).close();
  try {
    const isFolded = await stat(join(folder, name.toUpperCase())).then(
      () => true,
      () => false,
    );
    return { fold: isFolded ? (text) => text.toLowerCase() : AS_IT_IS.fold, isEmpty };
  } finally {
    await rm(probe, { force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Of another user.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

async function syncImage(sync: SyncDown, image: Image): Promise<void> {
  const { call, folder, isDry, transfer, digests, listing, fold, isEmpty, extras } = sync;
  const path = join(folder, image.name);
  try {
    using progress = transfer.progress.begin(image.size);
    if (processOfTemporary(image.name) !== undefined)
      throw new Error("its name is that of a file that is being written; rename it");
    if (listing.mark(fold(image.name)).isTwice)
      throw new Error("the file system does not distinguish the name from that of another image");
    if (!isEmpty && (await hasBytes(sync, image, path))) {
      if (await extras?.place(image, path, false)) return await transfer.done("changed", path, image);
      return transfer.unchanged();
    }
    if (!isDry) {
      await receiveFile(call, progress, image, folder, extras?.timeOf(image));
      await extras?.place(image, path, isEmpty);
      digests.keep(image.name, lstatSync(path, { bigint: true }), image.sha256, true);
    }
    await transfer.done("received", path, image);
  } catch (error) {
    transfer.fail(path, error);
  }
}

async function hasBytes({ call, digests }: SyncDown, image: Image, path: string): Promise<boolean> {
  const stats = await lstat(path, { bigint: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (stats?.isDirectory()) throw new Error("a folder of the name is in its place");
  if (stats === undefined || !stats.isFile() || Number(stats.size) !== image.size) return false;
  const known = call.has("checksum") ? undefined : digests.find(image.name, stats);
  if (known !== undefined) return known === image.sha256;
  using file = await readLocalFile(path, stats);
  digests.keep(image.name, file.stats, file.sha256);
  return file.sha256 === image.sha256;
}

/** Only images: other files never come from an album. */
async function deleteFile({ folder, isDry, transfer, listing, fold, call }: SyncDown, name: string | undefined) {
  if (name === undefined || processOfTemporary(name) !== undefined) return;
  if (listing.isMarked(fold(name.normalize("NFC")))) return;
  const path = join(folder, name);
  try {
    if (!(await lstat(path)).isFile()) return;
    using file = await readLocalFile(path);
    if (!file.isImage) return;
    call.signal.throwIfAborted();
    if (!isDry) await rm(path);
    await transfer.done("deleted", path);
  } catch (error) {
    transfer.fail(path, error);
  }
}
