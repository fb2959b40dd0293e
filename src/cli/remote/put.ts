import { basename } from "node:path";
import { StoreError } from "../../../client/src/index.ts";
import { parseName } from "../../domain/names.ts";
import { seeHelp, UsageError } from "../arguments.ts";
import type { RemoteCall } from "./connection.ts";
import { countPaths } from "./count-files.ts";
import { readLocalFile } from "./local-file.ts";
import { requireOperands } from "./records.ts";
import { sendFile } from "./send-file.ts";
import { forEach, startTransfer } from "./transfer.ts";

const IF_EXISTS = ["replace", "fail", "keep", "keep-both"] as const;
type IfExists = (typeof IF_EXISTS)[number];

export async function put(call: RemoteCall): Promise<number> {
  requireOperands(call, 2, "files and an album");
  const { operands, context, signal } = call;
  const paths = operands.slice(0, -1);
  const album = operands.at(-1) ?? "";
  if (album.includes("/")) throw new UsageError(`The last operand must be an album, not "${album}". ${seeHelp("put")}`);
  const ifExists = readIfExists(call.text("if-exists") ?? "replace");
  requireDifferentNames(paths);
  if (await createAlbum(call, album)) context.err(`Created the album ${album}\n`);
  using transfer = startTransfer(call);
  if (context.isErrorTerminal) void countPaths(paths, transfer.progress);
  await forEach(paths, signal, async (path) => {
    try {
      using file = await readLocalFile(path);
      using progress = transfer.progress.begin(file.size);
      if (!file.isImage) throw new Error("it is not an image of a format that the store accepts");
      const image = await sendFile(call, progress, file, album, { name: parseName(basename(path)), ifExists });
      const isKept = image !== undefined && image.sha256 !== file.sha256;
      await transfer.done(isKept ? "kept" : "sent", path, image);
    } catch (error) {
      transfer.fail(path, isTaken(error) ? takenError(basename(path)) : error);
    }
  });
  return transfer.finish();
}

function readIfExists(text: string): IfExists {
  const found = IF_EXISTS.find((known) => known === text);
  if (found !== undefined) return found;
  throw new UsageError(`--if-exists must be ${IF_EXISTS.join(", ")}, not "${text}". ${seeHelp("put")}`);
}

/** `a/lake.jpg b/lake.jpg`: one would replace the other. */
function requireDifferentNames(paths: readonly string[]): void {
  const seen = new Map<string, string>();
  for (const path of paths) {
    const name = basename(path).normalize("NFC");
    const other = seen.get(name);
    if (other !== undefined)
      throw new UsageError(
        `${other} and ${path} have the same name. Upload them to different albums. ${seeHelp("put")}`,
      );
    seen.set(name, path);
  }
}

const isTaken = (error: unknown): boolean => error instanceof StoreError && error.code === "precondition_failed";
const takenError = (name: string) =>
  new Error(`The album has an image ${name}. Replace it with --if-exists replace, or keep it with keep or keep-both.`);

/** Returns whether the album is new. */
export async function createAlbum({ client, signal }: Pick<RemoteCall, "client" | "signal">, album: string) {
  try {
    await client.albums.create({ name: parseName(album) }, { signal });
    return true;
  } catch (error) {
    if (error instanceof StoreError && error.code === "album_exists") return false;
    throw error;
  }
}
