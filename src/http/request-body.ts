import { within } from "../concurrency/timeout.ts";
import { StoreError } from "../domain/errors.ts";
import { IDLE_MS, type UploadMemory, type UploadReservation } from "../operations/upload-memory.ts";
import { parseDigests, verifyDigests } from "./digest.ts";
import { type ChunkReader, createUnreadBody, type UnreadBody } from "./unread-body.ts";

export interface BodyLimits {
  readonly maxBytes: number;
  /** Bytes per second that the client must send, taken over each `patience` of waiting for it; 0: any. */
  readonly minRate: number;
  /** In milliseconds. */
  readonly patience: number;
  /** The budget of memory that the body counts in while it is on its way. */
  readonly memory?: UploadMemory;
}

/** The body of a request. Disposing of it gives its share of the memory back. */
export interface RequestBody extends Disposable {
  /**
   * Can be read once. Reading throws StoreError `too_large`, `request_timeout`, `empty_body`, `digest_mismatch`, and
   * `invalid_request` when the client disconnects.
   */
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** A body that a handler has opened, for {@link dropRest}. */
interface OpenedBody {
  readonly reader: ChunkReader | undefined;
  isComplete: boolean;
}

/** Kept beside the request, so that a handler reads and returns, and only the server cleans up. */
const opened = new WeakMap<Request, OpenedBody>();

/**
 * The body of a request: its bytes are counted, timed and checked against the digests in its headers. The server drops
 * what the handler leaves unread.
 * @throws StoreError `invalid_request`, `unsupported_media_type`, `too_large`, `busy`, all before a byte is read
 */
export function openBody(request: Request, limits: BodyLimits): RequestBody {
  // A client that keeps the minimum rate sends this much within the first `patience`.
  const reader = readerOf(request, (limits.minRate * limits.patience) / 1000);
  const body: OpenedBody = { reader, isComplete: false };
  opened.set(request, body);
  checkHeaders(request.headers, limits.maxBytes);
  const digests = parseDigests(request.headers);
  const reservation = limits.memory?.reserve(declaredSize(request.headers));
  const bytes = readLimited(body, limits, reservation);
  return {
    bytes: digests.length === 0 ? bytes : verifyDigests(bytes, digests),
    [Symbol.dispose]: () => reservation?.[Symbol.dispose](),
  };
}

/**
 * Reads and drops a little of a body that the handler did not read to its end: a client that is still sending would
 * otherwise see a reset connection instead of the response.
 * @returns what is left, for {@link closeAfter}; undefined when nothing is
 */
export async function dropRest(request: Request, error: StoreError | undefined): Promise<UnreadBody | undefined> {
  const body = opened.get(request);
  if (body?.isComplete || (body === undefined && request.bodyUsed)) return undefined;
  // The runtime drops what still comes after the response. Reading it here would cost the memory and time that are short:
  // 250 refused uploads took 160 MB, and take 10 MB this way.
  if (body !== undefined && error?.code === "busy" && !closes(request)) return undefined;
  const reader = body === undefined ? readerOf(request, SMALL_BYTES) : body.reader;
  if (reader === undefined) return undefined;
  const unread = createUnreadBody(reader);
  if (waitsForResponse(request)) return unread;
  return (await unread.drop(DROPPED)) ? undefined : unread;
}

const closes = ({ headers }: Request): boolean => /\bclose\b/i.test(headers.get("connection") ?? "");

/** Whether the client sends its body only after `100 Continue`: then there is nothing to read before the response. */
const waitsForResponse = ({ headers }: Request): boolean => headers.has("expect");

/** What is dropped before the response: a little, so that most connections can be kept. */
const DROPPED = { mostBytes: 1024 * 1024, total: 1000 };

const SMALL_BYTES = 64 * 1024;

export const hasBody = (headers: Headers): boolean =>
  headers.has("transfer-encoding") || (headers.get("content-length") ?? "0") !== "0";

/** The Content-Length; undefined without one. */
export function declaredSize(headers: Headers): number | undefined {
  const declared = headers.get("content-length");
  return declared === null ? undefined : Number(declared);
}

function readerOf(request: Request, mostAtOnce: number): ChunkReader | undefined {
  const declared = declaredSize(request.headers);
  const isSmall = declared !== undefined && declared <= Math.min(mostAtOnce, WHOLE_BYTES);
  return isSmall ? createSmallReader(request) : request.body?.getReader();
}

/** A larger body is read in chunks, however fast its sender is. */
const WHOLE_BYTES = 1024 * 1024;

/** Reads all of a small body at once: the runtime's stream costs as much processor time as the rest of such a request. */
function createSmallReader(request: Request): ChunkReader {
  let whole: Promise<Uint8Array> | undefined;
  let taken = false;
  return {
    async read() {
      if (taken) return { done: true };
      whole ??= request.bytes();
      const value = await whole;
      taken = true;
      return value.length === 0 ? { done: true } : { done: false, value, isLast: true };
    },
  };
}

function checkHeaders(headers: Headers, maxBytes: number): void {
  if (headers.has("content-range")) {
    throw new StoreError("invalid_request", "A body must be sent whole. Remove the Content-Range header.", {
      errors: [{ parameter: "Content-Range", detail: "must be absent" }],
    });
  }
  const coding = headers.get("content-encoding");
  if (coding !== null && coding.toLowerCase() !== "identity") {
    throw new StoreError(
      "unsupported_media_type",
      "Images are stored byte for byte. Send the body without a Content-Encoding.",
      {
        errors: [{ parameter: "Content-Encoding", detail: "must be absent or identity" }],
      },
    );
  }
  if ((declaredSize(headers) ?? 0) > maxBytes) throw tooLarge(maxBytes);
}

async function* readLimited(
  body: OpenedBody,
  limits: BodyLimits,
  reservation: UploadReservation | undefined,
): AsyncGenerator<Uint8Array> {
  const { reader } = body;
  let size = 0;
  if (reader !== undefined) {
    const next = timed(() => reader.read(), limits);
    for (let isLast = false; !isLast; ) {
      // Outside of the time that counts as the client's.
      await reservation?.makeRoom();
      const idle = reservation === undefined ? undefined : setTimeout(() => reservation.idles(), IDLE_MS);
      const chunk = await next().finally(() => clearTimeout(idle));
      if (chunk.value === undefined) break;
      size += chunk.value.length;
      if (size > limits.maxBytes) throw tooLarge(limits.maxBytes);
      isLast = chunk.isLast === true;
      reservation?.took(chunk.value.length);
      yield chunk.value;
    }
  }
  body.isComplete = true;
  if (size === 0) throw new StoreError("empty_body", "The body is empty.");
}

/** Counts only the time spent waiting for the client, which is not to blame for a slow disk. */
function timed(read: () => ReturnType<ChunkReader["read"]>, { minRate, patience }: BodyLimits) {
  let waited = 0;
  let bytes = 0;
  const judge = () => {
    if (bytes < (minRate * waited) / 1000) {
      throw new StoreError("request_timeout", `An upload must send at least ${minRate} bytes a second.`);
    }
    waited = 0;
    bytes = 0;
  };
  return async () => {
    const reading = read();
    for (;;) {
      const started = performance.now();
      let chunk: Awaited<typeof reading> | undefined;
      try {
        chunk = await within(patience - waited, reading, () => undefined);
      } catch (cause) {
        throw new StoreError("invalid_request", "The client disconnected before the end of the body.", { cause });
      }
      waited += performance.now() - started;
      bytes += chunk?.value?.length ?? 0;
      if (chunk === undefined || waited >= patience) judge();
      if (chunk !== undefined) return chunk;
    }
  };
}

const tooLarge = (maxBytes: number) =>
  new StoreError("too_large", `The body is larger than the limit of ${maxBytes} bytes.`, {
    members: { limit: maxBytes },
  });
