import { GetObjectCommand, type GetObjectCommandOutput, HeadObjectCommand } from "@aws-sdk/client-s3";
import { within } from "../../../concurrency/timeout.ts";
import { StoreError } from "../../../domain/errors.ts";
import type { BlobContent, ByteRange } from "../../../ports.ts";
import { damaged } from "../../files/file-reader.ts";
import type { S3 } from "./client.ts";
import { isBeyondEnd, isMissing, isTaken, translateS3Error } from "./errors.ts";

/** Above this, content is streamed, so that a slow client of a large image costs a piece. */
const WHOLE_BYTES = 1024 * 1024;
/** Milliseconds after which a stream without new bytes counts as cut. */
const STALL_MS = 15_000;
/** How often a stream is resumed after a cut. The count starts over once {@link PROGRESS_BYTES} came without one. */
const RESUMES = 3;
const PROGRESS_BYTES = 1024 * 1024;

type Chunk = Uint8Array<ArrayBuffer>;
type Body = AsyncIterable<Chunk>;

export interface S3Reader {
  /**
   * @param options.etag of the object that is meant: another one under the key is `blob_damaged`
   * @throws StoreError `blob_damaged`, `unavailable`
   */
  read(
    objectKey: string,
    options: { size: number; range?: ByteRange; etag?: string | undefined },
  ): Promise<BlobContent>;
}

export function createS3Reader(s3: S3): S3Reader {
  return {
    async read(objectKey, { size, range = { start: 0, end: size }, etag }) {
      const part = { objectKey, size, etag, ...range };
      const length = part.end - part.start;
      if (length > WHOLE_BYTES) return openStream(s3, part);
      if (length > 0) return get(s3, part, (body) => gather(body, length));
      await requireObject(s3, part);
      return new Uint8Array();
    },
  };
}

/** The bytes from `start` to `end` of an object that should have `size` bytes. */
interface Part extends ByteRange {
  readonly objectKey: string;
  readonly size: number;
  readonly etag: string | undefined;
}

async function requireObject(s3: S3, { objectKey, size }: Part): Promise<void> {
  const { ContentLength } = await s3.try(
    (client, { signal }) =>
      client.send(new HeadObjectCommand({ Bucket: s3.bucket, Key: objectKey }), { abortSignal: signal }),
    {},
    refusal,
  );
  if (ContentLength !== size) throw otherSize(ContentLength, size);
}

/** Calls `use` with the body once the head of the response was checked. */
function get<Result>(
  s3: S3,
  { objectKey, start, end, size, etag }: Part,
  use: (body: Body, running: AbortController) => Promise<Result> | Result,
): Promise<Result> {
  const isWhole = start === 0 && end === size;
  const request = {
    Bucket: s3.bucket,
    Key: objectKey,
    ...(isWhole ? {} : { Range: `bytes=${start}-${end - 1}` }),
    ...(etag === undefined ? {} : { IfMatch: etag }),
  };
  return s3.try(
    async (client, running) => {
      const response = await client.send(new GetObjectCommand(request), { abortSignal: running.signal });
      try {
        // Some servers ignore If-Match.
        if (etag !== undefined && response.ETag !== etag) throw damaged(`Its ETag is ${response.ETag}, not ${etag}.`);
        if (isWhole) requireLength(response, size);
        else requireRange(response, start, end, size);
        return await use(response.Body as unknown as Body, running);
      } catch (error) {
        running.abort();
        throw error;
      }
    },
    {},
    refusal,
  );
}

/** Resumes a connection that is cut where it was, a few times in a row. */
async function* readPieces(s3: S3, part: Part, left: AbortSignal) {
  let { start } = part;
  for (let resumes = 0; start < part.end; resumes++) {
    const enough = start + PROGRESS_BYTES;
    const opened = await get(s3, { ...part, start }, (body, running) => ({ body, running }));
    const leave = () => opened.running.abort();
    left.addEventListener("abort", leave);
    try {
      for await (const chunk of unlessStalled(opened.body)) {
        start += chunk.byteLength;
        if (start > part.end) throw new Error("The response is longer than it said.");
        yield chunk;
      }
      if (start < part.end) throw new Error("The response is shorter than it said.");
    } catch (error) {
      opened.running.abort();
      if (start >= enough) resumes = 0;
      if (left.aborted || resumes === RESUMES || start > part.end) throw error;
    } finally {
      left.removeEventListener("abort", leave);
    }
  }
}

/** Resolves with the first piece at hand, so an error before it is an error of the read and not of the stream. */
async function openStream(s3: S3, part: Part): Promise<ReadableStream<Chunk>> {
  const left = new AbortController();
  const pieces = readPieces(s3, part, left.signal);
  const next = () =>
    pieces.next().catch((error: unknown) => {
      throw translateS3Error(error);
    });
  let first: IteratorResult<Chunk, void> | undefined = await next();
  return new ReadableStream<Chunk>(
    {
      async pull(controller) {
        const { done, value } = first ?? (await next());
        first = undefined;
        if (done === true) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        left.abort();
        await pieces.return();
      },
    },
    { highWaterMark: 0 },
  );
}

async function gather(body: Body, length: number): Promise<Chunk> {
  const bytes = Buffer.allocUnsafeSlow(length);
  let size = 0;
  for await (const chunk of body) {
    if (size + chunk.byteLength > length) throw new Error("The response is longer than it said.");
    bytes.set(chunk, size);
    size += chunk.byteLength;
  }
  if (size < length) throw new Error("The response is shorter than it said.");
  return bytes;
}

const failStalled = (): never => {
  throw new Error("The response has stalled.");
};

/** Time during which the consumer does not ask for more does not count. */
async function* unlessStalled(body: Body): AsyncGenerator<Chunk> {
  const chunks = body[Symbol.asyncIterator]();
  for (;;) {
    const { done, value } = await within(STALL_MS, chunks.next(), failStalled);
    if (done === true) return;
    yield value;
  }
}

function requireLength({ ContentLength }: GetObjectCommandOutput, size: number): void {
  if (ContentLength !== size) throw otherSize(ContentLength, size);
}

function requireRange({ ContentRange = "" }: GetObjectCommandOutput, start: number, end: number, size: number): void {
  const [, from, to, total] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(ContentRange) ?? [];
  if (total !== undefined && Number(total) !== size) throw otherSize(Number(total), size);
  if (Number(from) !== start || Number(to) !== end - 1)
    throw new StoreError("unavailable", "The object store returned another range than it was asked for.", {
      cause: new Error(`${JSON.stringify(ContentRange)} instead of ${start}-${end - 1}`),
    });
}

const otherSize = (found: number | undefined, size: number) =>
  damaged(`It has ${found ?? "an unknown number of"} bytes, its record says ${size}.`);

const refusal = (error: unknown) =>
  isMissing(error) || isBeyondEnd(error) || isTaken(error) ? damaged(error) : undefined;
