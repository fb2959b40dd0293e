import { GetObjectCommand, type GetObjectCommandOutput, HeadObjectCommand } from "@aws-sdk/client-s3";
import { StoreError } from "../../../domain/errors.ts";
import type { BlobContent, ByteRange } from "../../../ports.ts";
import { damaged } from "../../files/file-reader.ts";
import type { Patience, S3 } from "./client.ts";
import { isBeyondEnd, isMissing, translateS3Error } from "./errors.ts";

/** Above this, content is streamed, so that a slow client of a large image costs a piece. */
const WHOLE_BYTES = 1024 * 1024;
/** A stream may stand still for so long, in milliseconds. */
const STALL_MS = 15_000;
/** How often a stream that is cut goes on where it was, until so much has come without a cut. */
const RESUMES = 3;
const PROGRESS_BYTES = 1024 * 1024;

type Chunk = Uint8Array<ArrayBuffer>;
type Body = AsyncIterable<Chunk>;

export interface S3Reader {
  /** @throws StoreError `blob_damaged`, `unavailable` */
  read(objectKey: string, options: { size: number; range?: ByteRange }): Promise<BlobContent>;
}

export function createS3Reader(s3: S3): S3Reader {
  /** That the object is there, and has the size. */
  async function look(objectKey: string, size: number): Promise<void> {
    const { ContentLength } = await s3.try(
      (client, { signal }) =>
        client.send(new HeadObjectCommand({ Bucket: s3.bucket, Key: objectKey }), { abortSignal: signal }),
      {},
      refusal,
    );
    if (ContentLength !== size) throw otherSize(ContentLength, size);
  }

  /** The answer's head was looked at when `use` gets its body. */
  function get<Result>(
    objectKey: string,
    { start, end, size }: ByteRange & { size: number },
    use: (body: Body, running: AbortController) => Promise<Result> | Result,
    patience?: Patience,
  ): Promise<Result> {
    const isWhole = start === 0 && end === size;
    return s3.try(
      async (client, running) => {
        const command = new GetObjectCommand({
          Bucket: s3.bucket,
          Key: objectKey,
          ...(isWhole ? {} : { Range: `bytes=${start}-${end - 1}` }),
        });
        const answer = await client.send(command, { abortSignal: running.signal });
        try {
          if (isWhole) requireLength(answer, size);
          else requireRange(answer, start, end, size);
          return await use(answer.Body as unknown as Body, running);
        } catch (error) {
          running.abort();
          throw error;
        }
      },
      patience,
      refusal,
    );
  }

  const open = (objectKey: string, part: ByteRange & { size: number }) =>
    get(objectKey, part, (body, running) => ({ body, running }));

  /** A connection that is cut is opened again from there on, a few times in a row. */
  async function* piecesOf(objectKey: string, part: ByteRange & { size: number }, left: AbortSignal) {
    let { start } = part;
    for (let resumes = 0; start < part.end; resumes++) {
      const enough = start + PROGRESS_BYTES;
      const { body, running } = await open(objectKey, { ...part, start });
      const leave = () => running.abort();
      left.addEventListener("abort", leave);
      try {
        for await (const chunk of unlessStalled(body)) {
          start += chunk.byteLength;
          if (start > part.end) throw new Error("The answer is longer than it said.");
          yield chunk;
        }
        if (start < part.end) throw new Error("The answer is shorter than it said.");
      } catch (error) {
        running.abort();
        if (start >= enough) resumes = 0;
        if (left.aborted || resumes === RESUMES || start > part.end) throw error;
      } finally {
        left.removeEventListener("abort", leave);
      }
    }
  }

  /** Has its first piece, so that what fails at once is no broken stream. */
  async function stream(objectKey: string, part: ByteRange & { size: number }): Promise<ReadableStream<Chunk>> {
    const left = new AbortController();
    const pieces = piecesOf(objectKey, part, left.signal);
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

  return {
    async read(objectKey, { size, range = { start: 0, end: size } }) {
      const part = { ...range, size };
      const length = part.end - part.start;
      if (length > WHOLE_BYTES) return stream(objectKey, part);
      if (length > 0) return get(objectKey, part, (body) => gather(body, length));
      await look(objectKey, size);
      return new Uint8Array();
    },
  };
}

async function gather(body: Body, length: number): Promise<Chunk> {
  const bytes = Buffer.allocUnsafeSlow(length);
  let size = 0;
  for await (const chunk of body) {
    if (size + chunk.byteLength > length) throw new Error("The answer is longer than it said.");
    bytes.set(chunk, size);
    size += chunk.byteLength;
  }
  if (size < length) throw new Error("The answer is shorter than it said.");
  return bytes;
}

/** The time in which nobody asks for more does not count. */
async function* unlessStalled(body: Body): AsyncGenerator<Chunk> {
  const chunks = body[Symbol.asyncIterator]();
  for (;;) {
    const stalled = Promise.withResolvers<never>();
    const timer = setTimeout(() => stalled.reject(new Error("The answer stands still.")), STALL_MS);
    const { done, value } = await Promise.race([chunks.next(), stalled.promise]).finally(() => clearTimeout(timer));
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
    throw new StoreError("unavailable", "The object store gives another part than it was asked for.", {
      cause: new Error(`${JSON.stringify(ContentRange)} instead of ${start}-${end - 1}`),
    });
}

const otherSize = (found: number | undefined, size: number) =>
  damaged(`It has ${found ?? "an unknown number of"} bytes, its record says ${size}.`);

const refusal = (error: unknown) => (isMissing(error) || isBeyondEnd(error) ? damaged(error) : undefined);
