import { seeHelp, UsageError } from "../arguments.ts";
import type { RemoteCall } from "./connection.ts";
import { receiveArchive } from "./receive-archive.ts";
import { imagesOf, parseTarget, requireOperands } from "./records.ts";
import { syncDown } from "./sync-down.ts";
import { startTransfer } from "./transfer.ts";

export async function get(call: RemoteCall): Promise<number> {
  requireOperands(call, 1, "an album or ALBUM/IMAGE");
  const { client, operands, signal } = call;
  const [path = "", folder = "."] = operands;
  const { album, image } = parseTarget(path, call);
  const zip = call.text("zip");
  if (zip !== undefined) return getArchive(call, album, zip);
  if (image !== undefined) {
    const record = await client.image(album, image, { signal });
    return syncDown(call, [record], folder, { files: 1, bytes: record.size });
  }
  // A folder is not made for an album that is not there.
  const { imageCount: files, byteCount: bytes } = await client.albums.get(album, { signal });
  return syncDown(call, imagesOf(call, album), folder, { files, bytes });
}

async function getArchive(call: RemoteCall, album: string, file: string): Promise<number> {
  if (parseTarget(call.operands[0] ?? "", call).image !== undefined || call.operands.length > 1)
    throw new UsageError(`With --zip, "get" takes an album only. ${seeHelp("get")}`);
  if (file === "") throw new UsageError(`--zip needs the name of a file. ${seeHelp("get")}`);
  using transfer = startTransfer(call);
  await receiveArchive(call, transfer.progress, album, file);
  await transfer.done("received", file);
  return transfer.finish();
}
