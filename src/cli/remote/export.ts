import { stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import type { Album, Image } from "../../../client/src/index.ts";
import { seeHelp, UsageError } from "../arguments.ts";
import { folderOf, nameOfFolder, withoutFolder } from "./album-folder.ts";
import type { RemoteCall } from "./connection.ts";
import type { Progress } from "./progress.ts";
import { imagesOf, requireOperands } from "./records.ts";
import { ALBUM_FILE, albumFileOf, isSidecarName, sidecarOf, sidecarPath, writeFields } from "./sidecars.ts";
import { receiveImages } from "./sync-down.ts";
import { startTransfer, type Transfer } from "./transfer.ts";

export async function exportAlbums(call: RemoteCall): Promise<number> {
  const { client, operands, signal, context } = call;
  const isAll = call.has("all");
  requireOperands(call, isAll ? 1 : 2, isAll ? "a folder" : "an album and a folder, or --all and a folder");
  if (isAll && operands.length > 1)
    throw new UsageError(`With --all, "export" takes a folder only, not "${operands[1]}". ${seeHelp("export")}`);
  const root = operands.at(-1) ?? "";
  const albums = isAll
    ? client.albums.list({ pageSize: 1000 }, { signal })
    : [await client.albums.get(operands[0] ?? "", { signal })];
  using transfer = startTransfer(call);
  if (context.isErrorTerminal)
    void countImages(isAll ? client.albums.list({ pageSize: 1000 }, { signal }) : albums, transfer.progress);
  const taken = new Map<string, string>();
  for await (const album of albums) {
    const folder = folderOf(album);
    const other = taken.get(folder);
    if (other === undefined) await exportAlbum(call, transfer, album, root);
    else transfer.fail(album.name, new Error(`its folder ${folder} is that of the album ${other}`));
    taken.set(folder, album.name);
  }
  return transfer.finish();
}

/** Tells the progress how much there is. Without an answer, it stays unknown; the export itself says what is wrong. */
async function countImages(albums: AsyncIterable<Album> | Iterable<Album>, progress: Progress): Promise<void> {
  try {
    for await (const { imageCount: files, byteCount: bytes } of albums) progress.expect({ files, bytes });
    progress.expectNoMore();
  } catch {
    // See above.
  }
}

async function exportAlbum(call: RemoteCall, transfer: Transfer, album: Album, root: string): Promise<void> {
  const { context } = call;
  const path = folderOf(album);
  const folder = join(root, path);
  const images = imagesOf(call, album.name);
  try {
    const named = withoutSidecarNames(images, transfer, album.name);
    await receiveImages(call, transfer, named, folder, {
      timeOf: ({ createdAt }) => new Date(createdAt),
      place: (image, file, isNew) => placeFields(call, image, file, isNew),
    });
    const text = albumFileOf(album, nameOfFolder(root, path), withoutFolder(album));
    await writeFields(join(folder, ALBUM_FILE), text, context.umask);
  } catch (error) {
    transfer.fail(album.name, error);
  }
}

async function* withoutSidecarNames(images: AsyncIterable<Image>, transfer: Transfer, album: string) {
  for await (const image of images)
    if (isSidecarName(image.name))
      transfer.fail(`${album}/${image.name}`, new Error("its name ends as those of files with fields do; rename it"));
    else yield image;
}

async function placeFields({ context }: RemoteCall, image: Image, path: string, isNew: boolean): Promise<boolean> {
  const text = sidecarOf(image);
  if (isNew && text === "") return false;
  const time = new Date(image.createdAt);
  if (!isNew && (await stat(path)).mtime.getTime() !== time.getTime()) await utimes(path, time, time);
  return writeFields(sidecarPath(path), text, context.umask);
}
