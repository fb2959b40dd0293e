import { StoreError } from "../../client/src/index.ts";
import { store } from "../shared/store.ts";
import type { IfTaken, Status, UploadItem } from "./item.ts";
import { digestOf, isKnown } from "./known.ts";

/** Failures that are over by themselves. */
export const passes = ({ status, code }: StoreError): boolean =>
  status === 0 || status === 429 || code === "busy" || code === "unavailable" || status === 502 || status === 504;

/** Sends a file, unless the album has its bytes. Returns how it ended. */
export async function sendItem(item: UploadItem, ifTaken: IfTaken | undefined, signal: AbortSignal): Promise<Status> {
  const { file, album } = item;
  item.digest ??= await digestOf(file);
  if (item.digest !== undefined && (await isKnown(album, item.digest))) return "present";
  signal.throwIfAborted();
  item.status.value = "sending";
  try {
    await store.upload(album.name, file, {
      ifExists: ifTaken === "keep" || ifTaken === undefined ? "fail" : ifTaken,
      signal,
      onProgress: ({ sent }) => (item.sent.value = sent),
    });
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    if (error.code === "no_record") return finish(item);
    if (error.code !== "precondition_failed") throw error;
    item.sent.value = 0;
    if (await isOurs(item)) return "present";
    return ifTaken === "keep" ? "skipped" : "taken";
  }
  return finish(item);
}

function finish(item: UploadItem): Status {
  item.sent.value = item.file.size;
  return "done";
}

/** The name is taken by these very bytes: by an upload whose answer was lost. */
async function isOurs({ album, file, digest }: UploadItem): Promise<boolean> {
  if (digest === undefined) return false;
  try {
    return (await store.image(album.name, file.name)).sha256 === digest;
  } catch (error) {
    if (error instanceof StoreError && (error.status === 403 || error.status === 404)) return false;
    throw error;
  }
}
