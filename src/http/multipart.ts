import { StoreError } from "../domain/errors.ts";
import { type Disposition, parseDisposition } from "./disposition.ts";

/** One part of multipart/form-data (RFC 7578). `bytes` are to be read, or left, before the next part is asked for. */
export interface Part extends Disposition {
  readonly contentType: string | null;
  /** Each chunk is the reader's own: the parser never looks at its memory again. */
  readonly bytes: AsyncIterable<Uint8Array>;
}

const MAX_HEADERS = 32;
const MAX_HEADER_BYTES = 8 * 1024;

/**
 * The parts of a body, one after another, read no faster than they are taken, and to the end of the body. Bytes of a part
 * are views of the chunks that came, never copies, but for the few that may have begun a delimiter.
 * @throws StoreError `invalid_request`, `invalid_name`, and what `body` throws
 */
export async function* readParts(body: AsyncIterable<Uint8Array>, boundary: string): AsyncGenerator<Part> {
  const source = createSource(body);
  const delimiter = Buffer.from(`\r\n--${boundary}`, "latin1");
  try {
    // The first delimiter may stand at the very start, as if a line had ended before it.
    await skip(readUntil(source, delimiter, LINE_END));
    for (let head = await readHead(source); head !== undefined; head = await readHead(source)) {
      const bytes = readUntil(source, delimiter);
      yield toPart(parseHeaders(head), leavable(bytes));
      await skip(bytes);
    }
    // What follows the closing delimiter says nothing, but a body is taken to its end.
    while ((await source.take()) !== undefined);
  } finally {
    await source.leave();
  }
}

interface Source {
  /** Bytes, never none; undefined at the end. */
  take(): Promise<Buffer | undefined>;
  putBack(rest: Buffer): void;
  leave(): Promise<void>;
}

function createSource(body: AsyncIterable<Uint8Array>): Source {
  const iterator = body[Symbol.asyncIterator]();
  let rest: Buffer | undefined;
  return {
    async take() {
      const kept = rest;
      rest = undefined;
      if (kept !== undefined && kept.length > 0) return kept;
      for (;;) {
        const next = await iterator.next();
        if (next.done === true) return undefined;
        const { buffer, byteOffset, length } = next.value;
        if (length > 0) return Buffer.from(buffer, byteOffset, length);
      }
    },
    putBack(bytes) {
      rest = bytes;
    },
    async leave() {
      await iterator.return?.();
    },
  };
}

const LINE_END = 2;
const CARRIAGE_RETURN = 13;

/**
 * What comes before the next delimiter, which is taken too.
 * @param held how many bytes of a delimiter came already
 * @throws StoreError `invalid_request` where there is none
 */
async function* readUntil(source: Source, delimiter: Buffer, held = 0): AsyncGenerator<Uint8Array> {
  for (;;) {
    const chunk = await source.take();
    if (chunk === undefined) throw malformed("it has no end");
    if (held > 0) {
      const common = Math.min(delimiter.length - held, chunk.length);
      if (delimiter.compare(chunk, 0, common, held, held + common) === 0) {
        held += common;
        if (held < delimiter.length) continue;
        source.putBack(chunk.subarray(common));
        return;
      }
      // It was none. What was held is how a delimiter begins, and so need not have been kept.
      yield Uint8Array.from(delimiter.subarray(0, held));
    }
    const at = chunk.indexOf(delimiter);
    if (at !== -1) {
      source.putBack(chunk.subarray(at + delimiter.length));
      if (at > 0) yield chunk.subarray(0, at);
      return;
    }
    held = startAtEnd(chunk, delimiter);
    if (held < chunk.length) yield held === 0 ? chunk : chunk.subarray(0, chunk.length - held);
  }
}

/** How many bytes at the end of a chunk may begin a delimiter. Only its first byte is a carriage return. */
function startAtEnd(chunk: Buffer, delimiter: Buffer): number {
  const at = chunk.lastIndexOf(CARRIAGE_RETURN);
  const length = chunk.length - at;
  if (at === -1 || length >= delimiter.length) return 0;
  return delimiter.compare(chunk, at, chunk.length, 0, length) === 0 ? length : 0;
}

/**
 * The headers of the part after a delimiter, with a character for each byte; undefined after the closing one.
 * @throws StoreError `invalid_request`
 */
async function readHead(source: Source): Promise<string | undefined> {
  let head: Buffer = Buffer.alloc(0);
  for (;;) {
    if (head.length >= 2 && head.toString("latin1", 0, 2) === "--") return undefined;
    const end = head.indexOf("\r\n\r\n");
    if (Math.max(end, end === -1 ? head.length - 4 : 0) > MAX_HEADER_BYTES) throw malformed("its headers are too long");
    if (end !== -1) {
      source.putBack(head.subarray(end + 4));
      return head.toString("latin1", 0, end);
    }
    const chunk = await source.take();
    if (chunk === undefined) throw malformed("it has no end");
    head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
  }
}

// RFC 2046, 5.1.1: a delimiter may be padded. RFC 9110, 5.6.2 and 5.5, for the lines; a folded one is taken as one.
const PADDING = /^[ \t]*\r\n/;
const FOLD = /\r\n[ \t]+/g;
const HEADER = /^([!#$%&'*+.^_`|~\dA-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)$/;

function parseHeaders(head: string): ReadonlyMap<string, readonly string[]> {
  const padding = PADDING.exec(head)?.[0].length;
  if (padding === undefined) {
    throw malformed(head.trim() === "" ? "a part has no headers" : "a delimiter is followed by something else");
  }
  const lines = head.slice(padding).replaceAll(FOLD, " ").split("\r\n");
  if (lines.length > MAX_HEADERS) throw malformed("a part has too many headers");
  const headers = new Map<string, string[]>();
  for (const line of lines) {
    const [, name, value] = HEADER.exec(line) ?? [];
    if (name === undefined || value === undefined) throw malformed("a header of a part is malformed");
    const key = name.toLowerCase();
    headers.set(key, [...(headers.get(key) ?? []), value.trimEnd()]);
  }
  return headers;
}

function toPart(headers: ReadonlyMap<string, readonly string[]>, bytes: Part["bytes"]): Part {
  const [disposition, another] = headers.get("content-disposition") ?? [];
  if (disposition === undefined || another !== undefined) throw malformed("a part lacks its Content-Disposition");
  const encoding = headers.get("content-transfer-encoding")?.[0]?.toLowerCase() ?? "binary";
  if (!["7bit", "8bit", "binary"].includes(encoding)) throw malformed("Content-Transfer-Encoding is deprecated");
  return {
    ...parseDisposition(disposition),
    contentType: headers.get("content-type")?.[0] ?? null,
    bytes,
  };
}

/** The same bytes, such that who stops reading leaves the rest where it is. */
async function* leavable(bytes: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  for (let next = await bytes.next(); next.done !== true; next = await bytes.next()) yield next.value;
}

async function skip(bytes: AsyncGenerator<Uint8Array>): Promise<void> {
  while ((await bytes.next()).done !== true);
}

export const malformed = (detail: string) =>
  new StoreError("invalid_request", `The multipart body is malformed: ${detail}.`, {
    errors: [{ pointer: "", detail }],
  });
