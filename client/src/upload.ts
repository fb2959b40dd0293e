import { dataOf, StoreError } from "./errors.ts";
import type { Image, ImageByDigest, ImageFields, ImagePatch } from "./records.ts";
import type { Transport } from "./transport.ts";

/** What may be uploaded. A stream is sent once and never again, so it is not retried. */
export type Uploadable = Blob | ArrayBuffer | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>>;

export interface UploadOptions {
  /** Name of the image; default: that of the file. */
  readonly name?: string | undefined;
  /**
   * What to do where the album has an image of the name.
   * - `replace` (default): its bytes are replaced; the record keeps its id.
   * - `fail`: rejects with `precondition_failed`.
   * - `keep`: the image that is there stays; the answer is its record.
   * - `keep-both`: the new one gets the next free name, such as `lake (2).jpg`.
   */
  readonly ifExists?: "replace" | "fail" | "keep" | "keep-both" | undefined;
  /** Title, tags and so on, set once the bytes are stored. */
  readonly fields?: ImageFields | undefined;
  /**
   * Digest of the bytes in lower-case hex, or `compute`. The client first asks the store to make the image from bytes that
   * it has, and sends the bytes only if it has none. Not for streams.
   */
  readonly sha256?: string | undefined;
  /** Called as bytes go out; `total` is undefined for a stream. */
  readonly onProgress?: ((progress: { readonly sent: number; readonly total: number | undefined }) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface Records {
  uploadKnown(album: string, image: ImageByDigest, given: { signal?: AbortSignal }): Promise<Image>;
  image(album: string, name: string, given: { signal?: AbortSignal }): Promise<Image>;
  update(album: string, name: string, patch: ImagePatch, given: { signal?: AbortSignal }): Promise<Image>;
}

/** At most so many names are tried for `keep-both`. */
const MAX_NAMES = 1000;

/** The record of the stored image. Its bytes are durable. */
export async function upload(
  transport: Transport,
  records: Records,
  album: string,
  file: Uploadable,
  options: UploadOptions = {},
): Promise<Image> {
  const { ifExists = "replace", fields, signal } = options;
  const given = signal === undefined ? {} : { signal };
  const name = options.name ?? (file instanceof Blob && "name" in file ? (file as File).name : undefined);
  if (name === undefined) throw new TypeError("The upload needs a name: give options.name, or a File.");
  const known = await uploadKnown(records, album, file, { ...options, name });
  if (known !== undefined) return fields === undefined ? known : records.update(album, known.name, fields, given);
  for (let number = 1; ; number += 1) {
    const tried = number === 1 ? name : numbered(name, number);
    try {
      const image = await put(transport, album, tried, file, options);
      return fields === undefined ? image : await records.update(album, tried, fields, given);
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== "precondition_failed") throw error;
      if (ifExists === "keep") return records.image(album, tried, given);
      if (ifExists !== "keep-both" || number === MAX_NAMES || file instanceof ReadableStream) throw error;
    }
  }
}

/** Undefined where the bytes have to be sent, or the name is taken and an upload finds out what to do. */
async function uploadKnown(
  records: Records,
  album: string,
  file: Uploadable,
  { name, ifExists = "replace", sha256, signal }: UploadOptions & { readonly name: string },
): Promise<Image | undefined> {
  if (sha256 === undefined || file instanceof ReadableStream) return undefined;
  const digest = sha256 === "compute" ? await digestOf(file) : sha256;
  const body = { name, sha256: digest, ifExists: ifExists === "keep" ? ("fail" as const) : ifExists };
  try {
    return await records.uploadKnown(album, body, signal === undefined ? {} : { signal });
  } catch (error) {
    if (error instanceof StoreError && (error.code === "bytes_not_found" || error.code === "image_exists"))
      return undefined;
    throw error;
  }
}

async function digestOf(file: Exclude<Uploadable, ReadableStream>): Promise<string> {
  const bytes = file instanceof Blob ? await file.arrayBuffer() : file;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** `lake.jpg` as `lake (2).jpg`. */
function numbered(name: string, number: number): string {
  const dot = name.lastIndexOf(".");
  const end = dot > 0 ? dot : name.length;
  return `${name.slice(0, end)} (${number})${name.slice(end)}`;
}

async function put(
  transport: Transport,
  album: string,
  name: string,
  file: Uploadable,
  { ifExists = "replace", onProgress, signal }: UploadOptions,
): Promise<Image> {
  const url = `${transport.url}/v1/albums/${encodeURIComponent(album)}/images/${encodeURIComponent(name)}/content`;
  const isStream = file instanceof ReadableStream;
  const type = file instanceof Blob && file.type.startsWith("image/") ? file.type : "application/octet-stream";
  const headers = async () => ({
    ...(await transport.headers()),
    "Content-Type": type,
    ...(ifExists === "replace" ? {} : { "If-None-Match": "*" }),
  });
  // fetch tells nothing of how much has been sent.
  const byXhr = onProgress !== undefined && !isStream && typeof XMLHttpRequest === "function";
  const make = async () => {
    const body = byXhr ? null : onProgress === undefined ? file : counted(file, onProgress);
    return new Request(url, {
      method: "PUT",
      headers: await headers(),
      body,
      ...(signal === undefined ? {} : { signal }),
      ...(body instanceof ReadableStream ? { duplex: "half" } : {}),
    });
  };
  // Where names must be free, a second attempt would find the first one's image.
  const response = await transport.send(make, {
    repeatable: !isStream && ifExists === "replace",
    fetch: byXhr ? (request) => fetchWithXhr(request, file, onProgress) : undefined,
  });
  if (response.status !== 204) return (await dataOf(response)) as Image;
  throw new StoreError('The image is stored. The key lacks the right "read", so the store shows no record of it.', {
    status: 204,
    code: "no_record",
  });
}

const sizeOf = (file: Uploadable): number | undefined =>
  file instanceof Blob ? file.size : file instanceof ReadableStream ? undefined : file.byteLength;

function counted(
  file: Uploadable,
  onProgress: NonNullable<UploadOptions["onProgress"]>,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const total = sizeOf(file);
  let sent = 0;
  const stream = file instanceof ReadableStream ? file : new Blob([file]).stream();
  return stream.pipeThrough(
    new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform(chunk, controller) {
        sent += chunk.byteLength;
        onProgress({ sent, total });
        controller.enqueue(chunk);
      },
    }),
  );
}

/** Sends the request with the file as its body. */
function fetchWithXhr(
  { method, url, headers, signal }: Request,
  file: Exclude<Uploadable, ReadableStream>,
  onProgress: NonNullable<UploadOptions["onProgress"]>,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const xhr = new XMLHttpRequest();
    xhr.open(method, url);
    headers.forEach((value, name) => xhr.setRequestHeader(name, value));
    xhr.upload.addEventListener("progress", ({ loaded }) => onProgress({ sent: loaded, total: sizeOf(file) }));
    const abort = () => xhr.abort();
    signal.addEventListener("abort", abort, { once: true });
    xhr.addEventListener("loadend", () => {
      signal.removeEventListener("abort", abort);
      if (xhr.status === 0) reject(new TypeError("The request failed."));
      else resolve(responseOf(xhr));
    });
    xhr.send(file);
  });
}

function responseOf(xhr: XMLHttpRequest): Response {
  const headers = new Headers();
  for (const name of ["content-type", "x-request-id", "retry-after"]) {
    const value = xhr.getResponseHeader(name);
    if (value !== null) headers.set(name, value);
  }
  const { status, statusText } = xhr;
  const response = new Response(status === 204 ? null : xhr.responseText, { status, statusText, headers });
  return Object.defineProperty(response, "url", { value: xhr.responseURL });
}
