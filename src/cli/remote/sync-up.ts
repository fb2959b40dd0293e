import { lstat, opendir, stat } from "node:fs/promises";
import { join } from "node:path";
import { StoreError } from "../../../client/src/index.ts";
import { parseName } from "../../domain/names.ts";
import { groupsOf, refusalsOf } from "./batches.ts";
import type { RemoteCall } from "./connection.ts";
import { countFiles } from "./count-files.ts";
import { type Digests, openDigests } from "./digests.ts";
import { namesIn, processOfTemporary } from "./folder-entries.ts";
import { type Listed, type Listing, openListing } from "./listing.ts";
import { readLocalFile } from "./local-file.ts";
import type { FileProgress } from "./progress.ts";
import { createAlbum } from "./put.ts";
import { type SendableFile, sendFile } from "./send-file.ts";
import { isPartOfSidecars, patchOf, readSidecar, type Sidecar, sidecarOf } from "./sidecars.ts";
import { forEach, IN_FLIGHT, startTransfer, type Transfer } from "./transfer.ts";

/** While some files are sent, the next ones are read, and the store is asked for the bytes of those after them. */
const AT_ONCE = 5 * IN_FLIGHT;

/** An album that files go to. */
export interface AlbumTarget {
  readonly call: RemoteCall;
  readonly album: string;
  readonly isDry: boolean;
  readonly transfer: Transfer;
}

interface SyncUp extends AlbumTarget {
  readonly folder: string;
  readonly listing: Listing;
  readonly digests: Digests;
  readonly withSidecars: boolean;
}

/** Makes the album as the folder is. Files that the album has under the same name with the same bytes are not sent. */
export async function syncUp(call: RemoteCall, folder: string, album: string): Promise<number> {
  // Before there is an album for it.
  await (await opendir(folder)).close();
  using transfer = startTransfer(call, { isDry: call.has("dry-run") });
  if (call.context.isErrorTerminal) void countFiles(folder, transfer.progress, { isDeep: false, signal: call.signal });
  await sendFolder(call, transfer, folder, album, { withSidecars: false });
  return transfer.finish();
}

/** `withSidecars`: JSON files beside images are their fields. Folders are the caller's. */
export async function sendFolder(
  call: RemoteCall,
  transfer: Transfer,
  folder: string,
  album: string,
  { withSidecars }: { readonly withSidecars: boolean },
): Promise<void> {
  const { signal } = call;
  const isDry = call.has("dry-run");
  using listing = openListing();
  using digests = await openDigests(call.context.env, folder);
  const sync: SyncUp = { call, folder, album, isDry, transfer, listing, digests, withSidecars };
  await listAlbum(sync);
  await forEach(namesIn(folder), signal, (name) => syncFile(sync, name), AT_ONCE);
  if (call.has("delete")) for (const names of groupsOf(listing.unmarked())) await deleteImages(sync, names);
}

export async function listAlbum({
  call,
  album,
  isDry,
  listing,
  withSidecars,
}: Pick<SyncUp, "call" | "album" | "isDry" | "listing" | "withSidecars">): Promise<void> {
  const { client, signal, context } = call;
  if (!isDry && (await createAlbum(call, album))) {
    context.err(`Created the album ${album}\n`);
    return;
  }
  try {
    for await (const image of client.images(album, { pageSize: 250 }, { signal })) {
      const sidecar = withSidecars ? sidecarOf(image) : "";
      listing.add(image.name, { ...image, sidecar });
    }
  } catch (error) {
    if (!isDry || !(error instanceof StoreError) || error.code !== "album_not_found") throw error;
  }
}

async function syncFile(sync: SyncUp, localName: string | undefined): Promise<void> {
  const { call, folder, transfer, listing, digests, withSidecars } = sync;
  if (localName === undefined) return transfer.fail(folder, new Error("it has a file whose name is not UTF-8"));
  if (processOfTemporary(localName) !== undefined) return;
  const path = join(folder, localName);
  try {
    const stats = await stat(path, { bigint: true });
    if (withSidecars && stats.isDirectory()) return await skipLink(transfer, path);
    if (withSidecars && (await isPartOfSidecars(folder, localName))) return;
    using progress = transfer.progress.begin(stats.isFile() ? Number(stats.size) : undefined);
    if (!stats.isFile()) return transfer.skip(path, stats.isDirectory() ? "it is a folder" : "it is not a file");
    const name = parseName(localName);
    const { image, isTwice } = listing.mark(name);
    if (isTwice) throw new Error("another file has the same name in Unicode normal form C");
    const known = call.has("checksum") ? undefined : digests.find(localName, stats);
    if (known === null) return transfer.skip(path, "it is not an image");
    const sidecar = withSidecars ? await readSidecar(path) : undefined;
    if (known !== undefined && known === image?.sha256) return await keepBytes(sync, path, name, image, sidecar);
    using file = await readLocalFile(path, stats);
    digests.keep(localName, file.stats, file.isImage ? file.sha256 : null);
    if (!file.isImage) return transfer.skip(path, "it is not an image");
    if (file.sha256 === image?.sha256) return await keepBytes(sync, path, name, image, sidecar);
    await sendBytes(sync, progress, file, name, image, sidecar);
  } catch (error) {
    transfer.fail(path, error);
  }
}

/** An import works on each folder by itself, and does not follow links to folders. */
async function skipLink(transfer: Transfer, path: string): Promise<void> {
  if ((await lstat(path)).isSymbolicLink()) transfer.skip(path, "it is a symbolic link to a folder");
}

/** The bytes are there; the fields may not be. */
export async function keepBytes(
  { call, album, isDry, transfer }: AlbumTarget,
  path: string,
  name: string,
  image: Listed,
  sidecar: Sidecar | undefined,
): Promise<void> {
  if (sidecar === undefined || sidecar.text === image.sidecar) return transfer.unchanged();
  const record = isDry ? undefined : await setFields(call, album, name, sidecar, image.sidecar);
  await transfer.done("changed", path, record);
}

export async function sendBytes(
  { call, album, isDry, transfer }: AlbumTarget,
  progress: FileProgress,
  file: SendableFile,
  name: string,
  image: Listed | undefined,
  sidecar: Sidecar | undefined,
): Promise<void> {
  let record = isDry ? undefined : await sendFile(call, progress, file, album, { name });
  const before = image?.sidecar ?? "";
  if (!isDry && sidecar !== undefined && sidecar.text !== before)
    record = await setFields(call, album, name, sidecar, before);
  await transfer.done("sent", file.path, record);
}

const setFields = ({ client, signal }: RemoteCall, album: string, name: string, sidecar: Sidecar, before: string) =>
  client.update(album, name, patchOf(sidecar, before), { signal });

/** A few by a request each, whose refusal names the one right that is missing. */
async function deleteImages(sync: SyncUp, names: readonly string[]): Promise<void> {
  const { call, album, isDry } = sync;
  const { client, signal } = call;
  if (names.length <= FEW) {
    const remove = (name: string) => (isDry ? undefined : client.delete(album, name, { signal }));
    return forEach(names, signal, async (name) => tellDeleted(sync, name, await refusalOf(async () => remove(name))));
  }
  const operations = names.map((image) => ({ type: "deleteImage", album, image }) as const);
  // If the whole batch fails, so does each.
  let errors: readonly unknown[] = [];
  const refusal = await refusalOf(async () => void (errors = isDry ? [] : await refusalsOf(call, operations)));
  for (const [index, name] of names.entries()) await tellDeleted(sync, name, refusal ?? errors[index]);
}
const FEW = 3;

const refusalOf = (work: () => Promise<void>): Promise<unknown> =>
  work().then(
    () => undefined,
    (error: unknown) => error,
  );

async function tellDeleted({ album, transfer }: SyncUp, name: string, error: unknown): Promise<void> {
  const path = `${album}/${name}`;
  if (error === undefined) await transfer.done("deleted", path);
  else if (error instanceof StoreError && error.code === "image_not_found") transfer.unchanged();
  else transfer.fail(path, error);
}
