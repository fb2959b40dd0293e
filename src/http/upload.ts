import { StoreError } from "../domain/errors.ts";
import { parseContentDigest, verifyDigests } from "./digest.ts";

export interface UploadBounds {
  readonly maxBytes: number;
  /** Bytes per second that the client must send, taken over each `patience` of waiting for it; 0: any. */
  readonly minRate: number;
  /** In milliseconds. */
  readonly patience: number;
}

interface Reader {
  /** `isLast` where that is known with the bytes. */
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array; readonly isLast?: boolean }>;
  cancel(): Promise<void>;
}

/**
 * Gives `use` the body of a request, counted, timed and checked against its Content-Digest; it is to be read once, to the
 * end. When `use` fails, a little of what is left is read and dropped: a client that is still sending would otherwise see
 * a reset connection and not the answer.
 *
 * @returns what `use` does
 * @throws what `use` does. The bytes throw `too_large`, `request_timeout`, `empty_body`, `digest_mismatch`, and
 * `invalid_request` when the client went away
 */
export async function withBody<Result>(
  request: Request,
  bounds: UploadBounds,
  use: (bytes: AsyncIterable<Uint8Array>) => Promise<Result>,
): Promise<Result> {
  // A client that keeps the rate has sent this much within the first patience.
  const reader = readerOf(request, (bounds.minRate * bounds.patience) / 1000);
  try {
    checkHeaders(request.headers, bounds.maxBytes);
    const digests = parseContentDigest(request.headers.get("content-digest"));
    const bytes = receive(reader, bounds);
    return await use(digests.size === 0 ? bytes : verifyDigests(bytes, digests));
  } catch (error) {
    if (reader !== undefined && !(await drain(reader))) unfinished.set(request, reader);
    throw error;
  }
}

/** For an answer that was given before anybody asked for the body: reads and drops a little of it. */
export async function discardBody(request: Request): Promise<void> {
  const reader = readerOf(request, SMALL_BYTES);
  if (reader !== undefined && !(await drain(reader))) unfinished.set(request, reader);
}

/**
 * The answer to a request whose body was not read to its end. The connection closes behind it, but not at once: closed
 * while bytes still come, it would be reset, and the client would never see the answer that is to make it stop.
 */
export async function closeBehind(response: Response, request: Request): Promise<Response> {
  const reader = unfinished.get(request);
  if (reader === undefined) return response;
  response.headers.set("Connection", "close");
  if (response.body === null) return response;
  const answer = await response.bytes();
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      controller.enqueue(answer);
      await linger(reader);
      controller.close();
    },
  });
  return new Response(body, response);
}

const SMALL_BYTES = 64 * 1024;

function readerOf(request: Request, mostAtOnce: number): Reader | undefined {
  const declared = request.headers.get("content-length");
  const isSmall = declared !== null && Number(declared) <= Math.min(mostAtOnce, WHOLE_BYTES);
  return isSmall ? createSmallReader(request) : request.body?.getReader();
}

/** Above this a body comes in pieces, however fast its sender is. */
const WHOLE_BYTES = 1024 * 1024;

/** All of a small body as one piece: the runtime's stream costs as much processor time as the rest of such a request. */
function createSmallReader(request: Request): Reader {
  const cancelled = Promise.withResolvers<undefined>();
  let whole: Promise<Uint8Array | undefined> | undefined;
  let taken = false;
  return {
    async read() {
      if (taken) return { done: true };
      whole ??= Promise.race([request.bytes(), cancelled.promise]);
      const value = await whole;
      taken = true;
      return value === undefined || value.length === 0 ? { done: true } : { done: false, value, isLast: true };
    },
    async cancel() {
      cancelled.resolve(undefined);
    },
  };
}

/** Whose client may still be sending a body that nobody will read, so that the connection must be closed. */
const unfinished = new WeakMap<Request, Reader>();

function checkHeaders(headers: Headers, maxBytes: number): void {
  if (headers.has("content-range")) {
    throw new StoreError("invalid_request", "A part of an image cannot be uploaded: Content-Range is refused.", {
      errors: [{ parameter: "Content-Range", detail: "must be absent" }],
    });
  }
  const coding = headers.get("content-encoding");
  if (coding !== null && coding.toLowerCase() !== "identity") {
    throw new StoreError("unsupported_media_type", "Images are stored as they come: Content-Encoding is refused.");
  }
  if (Number(headers.get("content-length") ?? 0) > maxBytes) throw tooLarge(maxBytes);
}

async function* receive(reader: Reader | undefined, bounds: UploadBounds): AsyncGenerator<Uint8Array> {
  let received = 0;
  if (reader !== undefined) {
    const next = timed(() => reader.read(), bounds);
    for (let isLast = false; !isLast; ) {
      const chunk = await next();
      if (chunk.value === undefined) break;
      received += chunk.value.length;
      if (received > bounds.maxBytes) throw tooLarge(bounds.maxBytes);
      isLast = chunk.isLast === true;
      yield chunk.value;
    }
  }
  if (received === 0) throw new StoreError("empty_body", "The body is empty.");
}

/** Only the time spent waiting for the client counts: it is not to blame for a slow disk. */
function timed(read: () => ReturnType<Reader["read"]>, { minRate, patience }: UploadBounds) {
  let waited = 0;
  let bytes = 0;
  const judge = () => {
    if (bytes < (minRate * waited) / 1000) {
      throw new StoreError("request_timeout", `An upload must bring at least ${minRate} bytes a second.`);
    }
    waited = 0;
    bytes = 0;
  };
  return async () => {
    const reading = read();
    for (;;) {
      const started = performance.now();
      const { promise: overdue, resolve } = Promise.withResolvers<undefined>();
      const timer = setTimeout(resolve, patience - waited, undefined);
      let chunk: Awaited<typeof reading> | undefined;
      try {
        chunk = await Promise.race([reading, overdue]);
      } catch (cause) {
        throw new StoreError("invalid_request", "The request was cut off.", { cause });
      } finally {
        clearTimeout(timer);
      }
      waited += performance.now() - started;
      bytes += chunk?.value?.length ?? 0;
      if (chunk === undefined || waited >= patience) judge();
      if (chunk !== undefined) return chunk;
    }
  };
}

const DRAINED_BYTES = 1024 * 1024;
const DRAINED_MILLISECONDS = 1000;

/** Answers whether the end was reached. */
async function drain(reader: Reader, bytes = DRAINED_BYTES): Promise<boolean> {
  let left = bytes;
  let expired = false;
  const timer = setTimeout(() => {
    expired = true;
    void reader.cancel().catch(() => undefined);
  }, DRAINED_MILLISECONDS);
  try {
    while (left >= 0) {
      const { value } = await reader.read();
      if (value === undefined) return !expired;
      left -= value.length;
    }
    return false;
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}

/** What two kernels and a client hold for each other before the answer is seen. */
const LINGER_BYTES = 8 * 1024 * 1024;
const LINGER_MILLISECONDS = 100;

/** Reads and drops for as long as the client sends without a pause. */
async function linger(reader: Reader): Promise<void> {
  const pause = Promise.withResolvers<void>();
  let timer = setTimeout(pause.resolve, LINGER_MILLISECONDS);
  const attentive: Reader = {
    cancel: () => reader.cancel(),
    async read() {
      const chunk = await reader.read();
      clearTimeout(timer);
      timer = setTimeout(pause.resolve, LINGER_MILLISECONDS);
      return chunk;
    },
  };
  await Promise.race([drain(attentive, LINGER_BYTES), pause.promise]);
  clearTimeout(timer);
}

const tooLarge = (maxBytes: number) =>
  new StoreError("too_large", `The body is over the limit of ${maxBytes} bytes.`, { members: { limit: maxBytes } });
