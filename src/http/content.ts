import { StoreError } from "../domain/errors.ts";
import type { StoredImage } from "../domain/image.ts";
import type { BlobStore } from "../ports.ts";
import { contentTag, evaluateRead, ifRangeHolds } from "./conditional.ts";
import { formatDigest } from "./digest.ts";
import { inlineDisposition } from "./disposition.ts";
import { problem } from "./problem.ts";
import { formatContentRange, parseRange } from "./range.ts";
import type { RouteRequest } from "./route.ts";

export interface ContentNeeds {
  readonly blobs: Pick<BlobStore, "read">;
  /** Anyone may read, so pages of any origin may show the images. */
  readonly publicRead: boolean;
}

/**
 * The bytes of an image, as its record says: whole, one range of them, or 304.
 * @throws StoreError `precondition_failed`, `blob_damaged`
 */
export async function answerContent(
  request: RouteRequest,
  { blobs, publicRead }: ContentNeeds,
  { image, location }: StoredImage,
  cacheControl: string,
): Promise<Response> {
  const { size } = image;
  const requested = request.raw.headers;
  const etag = contentTag(image.sha256);
  if (evaluateRead(requested, etag) === "not_modified") {
    return new Response(null, { status: 304, headers: { ETag: etag, "Cache-Control": cacheControl } });
  }
  const isHead = request.method === "HEAD";
  const asked = isHead || !ifRangeHolds(requested, etag) ? "whole" : parseRange(requested.get("range"), size);
  if (asked === "unsatisfiable") {
    const error = new StoreError("range_not_satisfiable", `The range begins beyond the end of ${size} bytes.`);
    return problem(error, request.requestId, { "Content-Range": `bytes */${size}` });
  }
  const range = asked === "whole" ? undefined : asked;
  const body = isHead ? null : await blobs.read(location, range === undefined ? { size } : { size, range });
  const headers: Record<string, string> = {
    "Content-Type": image.contentType,
    "Content-Length": String(range === undefined ? size : range.end - range.start),
    ETag: etag,
    "Cache-Control": cacheControl,
    "Accept-Ranges": "bytes",
    "Repr-Digest": formatDigest(image.sha256),
    "Content-Disposition": inlineDisposition(image.name),
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": publicRead ? "cross-origin" : "same-site",
  };
  if (range !== undefined) headers["Content-Range"] = formatContentRange(range, size);
  return new Response(body, { status: range === undefined ? 200 : 206, headers });
}
