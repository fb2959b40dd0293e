import { lstat, open } from "node:fs/promises";
import { join } from "node:path";
import type { AlbumFields } from "../../../client/src/index.ts";
import { recognise, START_BYTES } from "../../adapters/renderer/formats/codecs.ts";
import { parseName } from "../../domain/names.ts";
import { folderMetadata, nameOfFolder } from "./album-folder.ts";
import type { RemoteCall } from "./connection.ts";
import { countFiles, discountFiles } from "./count-files.ts";
import { describeAlbum } from "./describe-album.ts";
import { foldersIn, namesIn } from "./folder-entries.ts";
import { requireOperands } from "./records.ts";
import { ALBUM_FILE, readObject } from "./sidecars.ts";
import { sendFolder } from "./sync-up.ts";
import { startTransfer, type Transfer } from "./transfer.ts";

export async function importFolder(call: RemoteCall): Promise<number> {
  requireOperands(call, 1, "a folder, or an S3 URL such as s3://BUCKET/PREFIX");
  const [root = ""] = call.operands;
  // The client of S3 is loaded only here.
  if (root.startsWith("s3:")) return (await import("./import-s3.ts")).importBucket(call, root);
  using transfer = startTransfer(call, { isDry: call.has("dry-run") });
  if (call.context.isErrorTerminal) void countFiles(root, transfer.progress, { isDeep: true, signal: call.signal });
  const taken = new Map<string, string>();
  for await (const folder of foldersIn(root)) {
    if (folder === undefined) transfer.fail(root, new Error("it has a folder whose path is not UTF-8"));
    else await importAlbum(call, transfer, root, folder, taken);
  }
  return transfer.finish();
}

async function importAlbum(
  call: RemoteCall,
  transfer: Transfer,
  root: string,
  folder: string,
  taken: Map<string, string>,
): Promise<void> {
  const path = join(root, folder);
  try {
    const described = await readObject(join(path, ALBUM_FILE));
    if (described === undefined && !(await hasImage(path))) {
      if (call.context.isErrorTerminal) await discountFiles(path, transfer.progress, call.signal);
      return;
    }
    const { name: given, metadata, ...fields } = (described ?? {}) as AlbumFields;
    const name = parseName(given ?? nameOfFolder(root, folder));
    const other = taken.get(name);
    if (other !== undefined)
      throw new Error(`its album ${name} is that of ${other}; give it another name in ${ALBUM_FILE}`);
    taken.set(name, path);
    const wanted = { ...fields, metadata: { ...metadata, ...folderMetadata(folder, name) } };
    if (!call.has("dry-run")) await describeAlbum(call, name, wanted, described !== undefined);
    await sendFolder(call, transfer, path, name, { withSidecars: true });
  } catch (error) {
    transfer.fail(path, error);
  }
}

async function hasImage(folder: string): Promise<boolean> {
  for await (const name of namesIn(folder))
    if (name !== undefined && (await isImage(join(folder, name)).catch(() => false))) return true;
  return false;
}

async function isImage(path: string): Promise<boolean> {
  if (!(await lstat(path)).isFile()) return false;
  await using file = await open(path);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(START_BYTES), 0, START_BYTES, 0);
  return recognise(buffer.toString("latin1", 0, bytesRead)) !== undefined;
}
