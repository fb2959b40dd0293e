import type { Image, ImageDestination } from "../../../client/src/index.ts";
import { IF_EXISTS, type IfExists } from "../../domain/change.ts";
import { seeHelp, UsageError } from "../arguments.ts";
import { EXIT } from "../context.ts";
import type { RemoteCall } from "./connection.ts";
import { parseTarget, requireOperands, type Target } from "./records.ts";

/** An image to another album or name, or an album to another name. */
export async function move(call: RemoteCall): Promise<number> {
  const { source, target, paths } = operandsOf(call);
  const { client, signal, print } = call;
  if (source.image === undefined) {
    if (target.image !== undefined || call.text("if-exists") !== undefined)
      throw new UsageError(`An album can only get another name. ${seeHelp("mv")}`);
    const record = await client.albums.update(source.album, { name: target.album }, { signal });
    await print({ action: "move", from: paths[0], to: paths[1], record }, `Renamed ${paths[0]} to ${record.name}`);
    return EXIT.ok;
  }
  const record = await moveImage(call, source.album, source.image, target);
  return finish(call, "move", `Moved ${paths[0]} to`, paths, record);
}

/** A rename within an album needs no right to delete. */
function moveImage(call: RemoteCall, album: string, image: string, target: Target): Promise<Image | undefined> {
  const { client, signal } = call;
  const to = destinationOf(call, target);
  if (target.album === album && to.name !== undefined && to.ifExists === "fail")
    return client.update(album, image, { name: to.name }, { signal });
  return client.move(album, image, to, { signal });
}

export async function copy(call: RemoteCall): Promise<number> {
  const { source, target, paths } = operandsOf(call);
  if (source.image === undefined) throw new UsageError(`"cp" copies ALBUM/IMAGE, not an album. ${seeHelp("cp")}`);
  const { client, signal } = call;
  const record = await client.copy(source.album, source.image, destinationOf(call, target), { signal });
  return finish(call, "copy", `Copied ${paths[0]} to`, paths, record);
}

function operandsOf(call: RemoteCall) {
  requireOperands(call, 2, "a source and a target");
  const [from = "", to = ""] = call.operands;
  return { source: parseTarget(from, call), target: parseTarget(to, call), paths: [from, to] as const };
}

function destinationOf(call: RemoteCall, { album, image }: Target): ImageDestination & { readonly ifExists: IfExists } {
  const text = call.text("if-exists") ?? "fail";
  const ifExists = IF_EXISTS.find((known) => known === text);
  if (ifExists === undefined)
    throw new UsageError(`--if-exists must be ${IF_EXISTS.join(", ")}, not "${text}". ${seeHelp(call.command)}`);
  return { album, ifExists, ...(image === undefined ? {} : { name: image }) };
}

/** Without a record where the key must not see it. */
async function finish(
  { print }: RemoteCall,
  action: "move" | "copy",
  done: string,
  [from, to]: readonly [string, string],
  record: Image | undefined,
): Promise<number> {
  const place = record === undefined ? to : `${record.album}/${record.name}`;
  await print({ action, from, to: place, ...(record === undefined ? {} : { record }) }, `${done} ${place}`);
  return EXIT.ok;
}
