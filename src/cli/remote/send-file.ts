import type { Client, Image, UploadOptions } from "../../../client/src/index.ts";
import { StoreError } from "../../../client/src/index.ts";
import { createLimit } from "../../concurrency/limit.ts";
import type { RemoteCall } from "./connection.ts";
import { knownBytesOf } from "./known-bytes.ts";
import type { LocalFile } from "./local-file.ts";
import type { FileProgress } from "./progress.ts";
import { IN_FLIGHT } from "./transfer.ts";

/** What is uploaded: a file of this machine, or what `open` reads from elsewhere when its bytes are needed. */
export interface SendableFile extends Pick<LocalFile, "path" | "size" | "sha256" | "bytes"> {
  readonly open?: () => Promise<Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>>>;
}

/** Has the store copy bytes that it has. */
async function sendDigest(
  { client, signal }: Pick<RemoteCall, "client" | "signal">,
  { sha256 }: SendableFile,
  album: string,
  { name, ifExists = "replace", fields }: SendOptions,
): Promise<Image | undefined | "bytes needed"> {
  try {
    const body = { name, sha256, ifExists: ifExists === "keep" ? ("fail" as const) : ifExists };
    const image = await client.uploadKnown(album, body, { signal });
    return fields === undefined || image === undefined
      ? image
      : await client.update(album, image.name, fields, { signal });
  } catch (error) {
    // Its name is taken, which an upload handles, or the bytes have gone, or a node of an earlier version was asked.
    if (error instanceof StoreError && BYTES_NEEDED.has(error.code)) return "bytes needed";
    throw error;
  }
}
const BYTES_NEEDED: ReadonlySet<string> = new Set([
  "bytes_not_found",
  "image_exists",
  "not_found",
  "method_not_allowed",
]);

type SendOptions = { readonly name: string } & Pick<UploadOptions, "ifExists" | "fields">;

interface Sending {
  readonly run: ReturnType<typeof createLimit>;
  /** Files that are being sent, or could be. */
  ready: number;
}

/** Of each client, so many uploads at a time, however many files are prepared. */
const sendings = new WeakMap<Client, Sending>();

function sendingOf(client: Client): Sending {
  const sending = sendings.get(client) ?? { run: createLimit(IN_FLIGHT), ready: 0 };
  sendings.set(client, sending);
  return sending;
}

/**
 * Uploads the file as it was read, or has the store copy the bytes if it has them, or fails. Returns the record; undefined where the key must not see it.
 * @throws Error if the file changed after it was read
 */
export async function sendFile(
  call: Pick<RemoteCall, "client" | "signal">,
  progress: Pick<FileProgress, "moved" | "isShown">,
  file: SendableFile,
  album: string,
  options: SendOptions,
): Promise<Image | undefined> {
  const { client, signal } = call;
  const known = knownBytesOf(client, signal);
  const sending = sendingOf(client);
  const isKnown = await known.has(file.sha256, sending.ready < IN_FLIGHT);
  sending.ready += 1;
  try {
    return await sending.run(async () => {
      // It may have waited for others.
      signal.throwIfAborted();
      const image = isKnown ? await sendDigest(call, file, album, options) : "bytes needed";
      return image === "bytes needed" ? await sendBytes(call, progress, file, album, options) : image;
    });
  } finally {
    sending.ready -= 1;
    if (sending.ready < IN_FLIGHT) known.hurry();
  }
}

async function sendBytes(
  { client, signal }: Pick<RemoteCall, "client" | "signal">,
  progress: Pick<FileProgress, "moved" | "isShown">,
  file: SendableFile,
  album: string,
  options: SendOptions,
): Promise<Image | undefined> {
  // The store looks at the bytes. A type that it does not know, made from the name, would be refused.
  const type = "application/octet-stream";
  const body = file.bytes ?? (await file.open?.()) ?? Bun.file(file.path, { type });
  let image: Image | undefined;
  let told = 0;
  const tell = (sent: number) => {
    progress.moved(sent - told);
    told = sent;
  };
  // A body that is watched goes through this process piece by piece, so only large files are, if the progress is shown.
  const isWatched = progress.isShown && file.bytes === undefined;
  const watched = isWatched ? { onProgress: ({ sent }: { readonly sent: number }) => tell(sent) } : {};
  try {
    image = await client.upload(album, body, { signal, ...options, ...watched });
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== "no_record") throw error;
  }
  tell(file.size);
  const isKept = options.ifExists === "keep";
  if (image !== undefined && image.sha256 !== file.sha256 && !isKept) throw new Error("it changed while it was read");
  return image;
}
