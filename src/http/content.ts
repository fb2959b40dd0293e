import { StoreError } from "../domain/errors.ts";
import { CONTENT_TYPES, type ContentType, type ImageFormat } from "../domain/image.ts";
import type { BlobContent, ByteRange } from "../ports.ts";
import { contentTag, evaluateRead, ifRangeHolds } from "./conditional.ts";
import { formatDigest } from "./digest.ts";
import { inlineDisposition } from "./disposition.ts";
import { problem } from "./problem.ts";
import { formatContentRange, parseRange } from "./range.ts";
import type { RouteRequest } from "./route.ts";

/** An original or a variant: bytes, and what is known of them. */
export interface Content {
  readonly contentType: ContentType;
  readonly size: number;
  readonly sha256: string;
  /** For saving. */
  readonly name: string;
  read(range?: ByteRange): Promise<BlobContent>;
}

export interface ContentOptions {
  readonly cacheControl: string;
  /** Pages of any origin may show it. */
  readonly crossOrigin: boolean;
  /** The header of the request that chose it, where one did. */
  readonly vary?: string | undefined;
  /** A target that gives these bytes for ever, where there is one. */
  readonly location?: string | undefined;
}

/**
 * The bytes: whole, one range of them, or 304.
 * @throws StoreError `precondition_failed`; what `read` throws
 */
export async function answerContent(
  request: RouteRequest,
  content: Content,
  { cacheControl, crossOrigin, vary, location }: ContentOptions,
): Promise<Response> {
  const { size } = content;
  const requested = request.raw.headers;
  const etag = contentTag(content.sha256);
  const always: Record<string, string> = { ETag: etag, "Cache-Control": cacheControl };
  if (vary !== undefined) always.Vary = vary;
  if (location !== undefined) always["Content-Location"] = location;
  if (evaluateRead(requested, etag) === "not_modified") return new Response(null, { status: 304, headers: always });
  const isHead = request.method === "HEAD";
  const asked = isHead || !ifRangeHolds(requested, etag) ? "whole" : parseRange(requested.get("range"), size);
  if (asked === "unsatisfiable") {
    const error = new StoreError("range_not_satisfiable", `The range begins beyond the end of ${size} bytes.`);
    return problem(error, request.requestId, { "Content-Range": `bytes */${size}` });
  }
  const range = asked === "whole" ? undefined : asked;
  const body = isHead ? null : await content.read(range);
  const headers: Record<string, string> = {
    ...always,
    "Content-Type": content.contentType,
    "Content-Length": String(range === undefined ? size : range.end - range.start),
    "Accept-Ranges": "bytes",
    "Repr-Digest": formatDigest(content.sha256),
    "Content-Disposition": inlineDisposition(content.name),
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": crossOrigin ? "cross-origin" : "same-site",
  };
  if (range !== undefined) headers["Content-Range"] = formatContentRange(range, size);
  return new Response(body, { status: range === undefined ? 200 : 206, headers });
}

const EXTENSIONS = { jpeg: "jpg", png: "png", webp: "webp", gif: "gif", avif: "avif", tiff: "tif" } as const;
const KNOWN_EXTENSION = /\.(?:jpe?g|png|webp|gif|avif|tiff?)$/i;

/** The name of an image with the extension of what was made of it. */
export function nameOfVariant(image: { name: string; contentType: ContentType }, contentType: ContentType): string {
  if (image.contentType === contentType) return image.name;
  const format = (Object.keys(CONTENT_TYPES) as ImageFormat[]).find((one) => CONTENT_TYPES[one] === contentType);
  return `${image.name.replace(KNOWN_EXTENSION, "")}.${EXTENSIONS[format ?? "jpeg"]}`;
}
