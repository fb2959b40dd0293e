import { type MaybePromise, whenKnown } from "../concurrency/maybe-promise.ts";
import { createMemo } from "../concurrency/memo.ts";
import { StoreError } from "../domain/errors.ts";
import { type ContentType, FORMATS, formatOf, IMAGE_FORMATS } from "../domain/formats.ts";
import type { BlobContent, ByteRange } from "../ports.ts";
import { contentTag, evaluateRead, ifRangeHolds } from "./conditional.ts";
import { formatDigest } from "./digest.ts";
import { attachmentDisposition, inlineDisposition } from "./disposition.ts";
import { formatHttpDate } from "./http-date.ts";
import { problem } from "./problem.ts";
import type { RouteRequest } from "./route.ts";

/** An original, a variant or an archive: bytes, and what is known of them. */
export interface Content {
  readonly contentType: ContentType | "application/zip";
  readonly size: number;
  /** In the ETag: of the bytes, or of an archive of what determines them. */
  readonly sha256: string;
  /** Since when the target gives these bytes, in milliseconds since 1970; undefined where a setting may change them. */
  readonly modifiedAt: number | undefined;
  /** For saving. */
  readonly name: string;
  read(range?: ByteRange): MaybePromise<BlobContent>;
}

export interface ContentOptions {
  readonly cacheControl: string;
  /** Pages of any origin may show it. */
  readonly crossOrigin: boolean;
  /** The header of the request that chose it, where one did. */
  readonly vary?: string | undefined;
  /** A target that gives these bytes for ever, where there is one. */
  readonly location?: string | undefined;
  /** By which a CDN purges its copies; undefined where the operator has none. */
  readonly tags?: CacheTags | undefined;
}

/** Ids. */
export interface CacheTags {
  readonly image: string;
  readonly album: string;
}

/**
 * The bytes: whole, one range of them, or 304.
 * @throws StoreError `precondition_failed`; what `read` throws
 */
export function answerContent(
  request: RouteRequest,
  content: Content,
  options: ContentOptions,
): MaybePromise<Response> {
  const { size } = content;
  const requested = request.raw.headers;
  const etag = contentTag(content.sha256);
  if (evaluateRead(requested, etag, content.modifiedAt) === "not_modified")
    return new Response(null, { status: 304, headers: lastingHeaders(etag, options) });
  const isHead = request.method === "HEAD";
  const asked = isHead || !ifRangeHolds(requested, etag) ? "whole" : parseRange(requested.get("range"), size);
  if (asked === "unsatisfiable") {
    const error = new StoreError("range_not_satisfiable", `The range begins after the end of the ${size} bytes.`);
    return problem(error, request.requestId, { "Content-Range": `bytes */${size}` });
  }
  const range = asked === "whole" ? undefined : asked;
  return whenKnown(isHead ? null : content.read(range), (body) => {
    const headers = wholeHeaders(content, options);
    if (range === undefined) return new Response(body, { headers });
    const part = new Response(body, { status: 206, headers });
    part.headers.set("Content-Length", String(range.end - range.start));
    part.headers.set("Content-Range", formatContentRange(range, size));
    return part;
  });
}

/** A response copies them in a third of the time that it takes to read an object. */
const recent = createMemo<Headers>(1024);

function wholeHeaders(content: Content, options: ContentOptions): Headers {
  const { contentType, size, sha256, modifiedAt, name } = content;
  const { cacheControl, crossOrigin, vary = "", location = "", tags } = options;
  const tagged = tags === undefined ? "" : `${tags.image} ${tags.album}`;
  const all = `${tagged} ${contentType} ${size} ${sha256} ${modifiedAt} ${crossOrigin} ${vary} ${location} ${cacheControl}\0${name}`;
  return recent.get(all, () => {
    const headers = {
      ...lastingHeaders(contentTag(sha256), options),
      "Content-Type": contentType,
      "Content-Length": String(size),
      "Accept-Ranges": "bytes",
      ...(modifiedAt === undefined ? {} : { "Last-Modified": formatHttpDate(modifiedAt) }),
      ...(contentType === "application/zip"
        ? { "Content-Disposition": attachmentDisposition(name) }
        : { "Repr-Digest": formatDigest(sha256), "Content-Disposition": inlineDisposition(name) }),
      "Content-Security-Policy": "default-src 'none'; sandbox",
      "Cross-Origin-Resource-Policy": crossOrigin ? "cross-origin" : "same-site",
    };
    return new Headers(headers);
  });
}

/** Those that 304 has too. */
const lastingHeaders = (
  etag: string,
  { cacheControl, vary, location, tags }: ContentOptions,
): Record<string, string> => ({
  ETag: etag,
  "Cache-Control": cacheControl,
  ...(vary === undefined ? {} : { Vary: vary }),
  ...(location === undefined ? {} : { "Content-Location": location }),
  // Cloudflare reads the first; Fastly and Varnish the second.
  ...(tags === undefined
    ? {}
    : { "Cache-Tag": `${tags.image},${tags.album}`, "Surrogate-Key": `${tags.image} ${tags.album}` }),
});

const EXTENSIONS = IMAGE_FORMATS.flatMap((format) => FORMATS[format].extensions);
const KNOWN_EXTENSION = new RegExp(`\\.(?:${EXTENSIONS.join("|")})$`, "i");

/** The name of an image with the extension of what was made of it. */
export function nameOfVariant(image: { name: string; contentType: ContentType }, contentType: ContentType): string {
  if (image.contentType === contentType) return image.name;
  return `${image.name.replace(KNOWN_EXTENSION, "")}.${FORMATS[formatOf(contentType)].extensions[0]}`;
}

const ONE_RANGE = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i;

/**
 * What a Range field asks of `size` bytes (RFC 9110, 14.2). Another unit, a malformed field and more than one range are
 * answered with the whole, as a server may.
 */
export function parseRange(field: string | null, size: number): ByteRange | "whole" | "unsatisfiable" {
  const match = field === null ? null : ONE_RANGE.exec(field);
  if (match === null) return "whole";
  const [, first, last] = match as unknown as [string, string, string];
  if (first === "") {
    if (last === "") return "whole";
    const length = Math.min(Number(last), size);
    return length === 0 ? "unsatisfiable" : { start: size - length, end: size };
  }
  const start = Number(first);
  if (last !== "" && Number(last) < start) return "whole";
  if (start >= size) return "unsatisfiable";
  return { start, end: last === "" ? size : Math.min(Number(last) + 1, size) };
}

/** The Content-Range of a 206. */
const formatContentRange = (range: ByteRange, size: number): string => `bytes ${range.start}-${range.end - 1}/${size}`;
