import { statSync } from "node:fs";
import { seeHelp, UsageError } from "../arguments.ts";
import type { RemoteCall } from "./connection.ts";
import { imagesOf, requireOperands } from "./records.ts";
import { syncDown } from "./sync-down.ts";
import { syncUp } from "./sync-up.ts";

export async function sync(call: RemoteCall): Promise<number> {
  requireOperands(call, 2, "a folder and an album");
  const { operands, client, signal } = call;
  const [from = "", to = ""] = operands;
  if (isSourceFolder(from, to)) return syncUp(call, from, to);
  const { imageCount: files, byteCount: bytes } = await client.albums.get(from, { signal });
  return syncDown(call, imagesOf(call, from), to, { files, bytes });
}

/**
 * Whether the first operand is the folder: names of albums have no slash.
 * @throws UsageError if that does not decide
 */
function isSourceFolder(from: string, to: string): boolean {
  for (const decides of [isWrittenAsFolder, isFolder]) if (decides(from) !== decides(to)) return decides(from);
  const folder = isWrittenAsFolder(from) ? "Two folders" : "Two names";
  throw new UsageError(
    `${folder}, "${from}" and "${to}": one must be an album and one a folder, such as "./${to}". ${seeHelp("sync")}`,
  );
}

const isWrittenAsFolder = (text: string): boolean => text.includes("/") || text === "." || text === "..";
const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
