import type { Readable } from "node:stream";
import { Dicer } from "@fastify/busboy";
import { StoreError } from "../domain/errors.ts";
import { type Disposition, parseDisposition } from "./disposition.ts";

/** One part of multipart/form-data (RFC 7578). `bytes` are to be read, or left, before the next part is asked for. */
export interface Part extends Disposition {
  readonly contentType: string | null;
  readonly bytes: AsyncIterable<Uint8Array>;
}

interface Arrival {
  readonly stream: Readable;
  readonly headers: Readonly<Record<string, readonly string[]>>;
}

const MAX_HEADERS = 32;
const MAX_HEADER_BYTES = 8 * 1024;
/** How long the parser may keep a chunk to itself while somebody waits for what it says, in milliseconds. */
const STALL = 1000;

/**
 * The parts of a body, one after another, read no faster than they are taken, and to the end of the body. Dicer is used
 * without Busboy around it, since Busboy leaves malformed parts out in silence and puts U+FFFD for what is no UTF-8: here
 * both are refused.
 * @throws StoreError `invalid_request`, `invalid_name`, and what `body` throws
 */
export async function* readParts(body: AsyncIterable<Uint8Array>, boundary: string): AsyncGenerator<Part> {
  const config = { boundary, maxHeaderPairs: MAX_HEADERS, maxHeaderSize: MAX_HEADER_BYTES };
  const parser = new Dicer(config);
  const arrivals: Arrival[] = [];
  let changed = Promise.withResolvers<void>();
  let failure: unknown;
  let parsed = false;
  let writing: PromiseWithResolvers<void> | undefined;
  let over = false;
  let headless = false;
  /** Odd while the parser has a chunk. */
  let turns = 0;

  const fail = (error: unknown) => {
    failure ??= error;
    for (const { stream } of arrivals) stream.destroy();
    changed.resolve();
  };
  parser.on("part", (stream) => {
    if (headless) fail(malformed("a part has no headers"));
    headless = true;
    stream.on("error", () => fail(malformed("a part is cut off")));
    stream.on("header", (headers) => {
      headless = false;
      arrivals.push({ stream, headers: headers as Arrival["headers"] });
      changed.resolve();
    });
  });
  parser.on("error", () => fail(malformed("it has no end")));
  parser.on("finish", () => {
    parsed = true;
    // Dicer may never call back for the chunk with the closing delimiter.
    writing?.resolve();
    changed.resolve();
  });

  const feed = async () => {
    for await (const chunk of body) {
      if (over || failure !== undefined) return;
      // What follows the closing delimiter says nothing, but a body is taken to its end.
      if (parsed) continue;
      turns++;
      writing = Promise.withResolvers();
      parser.write(chunk, () => writing?.resolve());
      await writing.promise;
      turns++;
    }
    over = true;
    turns++;
    if (!parsed) parser.end();
    changed.resolve();
  };
  /** Waits for the parser. A malformed body may leave it waiting for nothing, without an event. */
  const patiently = async <Value>(wanted: Promise<Value>): Promise<Value> => {
    let last = -1;
    const stalled = setInterval(() => {
      if (turns === last && turns % 2 === 1) fail(malformed("it makes no sense"));
      last = turns;
    }, STALL);
    try {
      return await wanted;
    } catch (error) {
      throw failure ?? error;
    } finally {
      clearInterval(stalled);
    }
  };

  void feed().catch(fail);
  try {
    for (;;) {
      const arrival = arrivals[0];
      if (failure !== undefined) throw failure;
      if (arrival !== undefined) {
        const bytes = (arrival.stream as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
        const next = () => patiently(bytes.next());
        yield describe(arrival.headers, read(next));
        // What the caller left would hold up the parser.
        while ((await next()).done !== true);
        arrivals.shift();
      } else if (parsed && over) {
        if (headless) throw malformed("a part has no headers");
        return;
      } else {
        await patiently(changed.promise);
        changed = Promise.withResolvers();
      }
    }
  } finally {
    over = true;
  }
}

function describe(headers: Arrival["headers"], bytes: Part["bytes"]): Part {
  const [disposition, another] = headers["content-disposition"] ?? [];
  if (disposition === undefined || another !== undefined) throw malformed("a part lacks its Content-Disposition");
  const encoding = headers["content-transfer-encoding"]?.[0]?.toLowerCase() ?? "binary";
  if (!["7bit", "8bit", "binary"].includes(encoding)) throw malformed("Content-Transfer-Encoding is deprecated");
  return {
    ...parseDisposition(disposition),
    contentType: headers["content-type"]?.[0] ?? null,
    bytes,
  };
}

/** Whoever leaves it early leaves the stream as it is: a destroyed one holds up the parser. */
async function* read(next: () => Promise<IteratorResult<Uint8Array>>): AsyncGenerator<Uint8Array> {
  for (let chunk = await next(); chunk.done !== true; chunk = await next()) yield chunk.value;
}

export const malformed = (detail: string) =>
  new StoreError("invalid_request", `The multipart body is malformed: ${detail}.`, {
    errors: [{ pointer: "", detail }],
  });
