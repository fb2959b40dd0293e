import type { Album } from "../domain/album.ts";
import { type Caller, may } from "../domain/caller.ts";
import type { RecordVersion } from "../domain/change.ts";
import type { Image } from "../domain/image.ts";
import type { AlbumRef } from "../domain/visibility.ts";
import { evaluateRead, recordTag, versionTag } from "./conditional.ts";
import { jsonHeaders, jsonText, type RouteRequest } from "./route.ts";

/**
 * A record with its ETag, or 304 to a client that has it already.
 * @throws StoreError `precondition_failed`
 */
export function answerRecord(request: RouteRequest<unknown>, record: RecordVersion): Response {
  let text = serialized.get(record);
  if (text === undefined) serialized.set(record, (text = serialize(record)));
  const { body, etag } = text;
  if (evaluateRead(request.raw.headers, etag) === "not_modified") {
    return new Response(null, { status: 304, headers: { ETag: etag, "Cache-Control": "no-cache" } });
  }
  return new Response(body, { headers: text.headers });
}

/**
 * Records never change, and a catalog that remembers them returns the same object until the next write. Id and revision would not
 * do as a key: the name of the album and the description change without a new revision.
 */
const serialized = new WeakMap<RecordVersion, ReturnType<typeof serialize>>();

function serialize(record: RecordVersion) {
  const text = JSON.stringify(record);
  const etag = recordTag(record, text);
  const body = new Blob([text]);
  return { body, etag, headers: new Headers(jsonHeaders(body.size, { ETag: etag })) };
}

export const CHANGED = ["ETag", "Content-Location"] as const;
export const REPLAYED = { "Idempotent-Replayed": "true" };
export const CREATED = ["ETag", "Content-Location", "Location"] as const;

/**
 * The record that a write made (201), changed (200) or will change (202), and where it is: a rename moves it, and bytes are elsewhere. A key
 * that must not read gets what it created, which holds nothing but what it sent, and of a record that was there
 * neither that nor a digest of it.
 * @param self path of the record
 */
export function answerWrite(
  request: RouteRequest<unknown>,
  status: 200 | 201 | 202,
  record: Album | Image,
  self: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const { body, etag } = writtenRecord(request.caller, status, record);
  if (body === undefined) return new Response(null, { status: 204, headers: { ETag: etag, ...headers } });
  return jsonText(status, body, {
    ETag: etag,
    "Content-Location": self,
    ...(status === 201 ? { Location: self } : {}),
    ...headers,
  });
}

/** The record as the caller gets it, without a body where it must not read, and its ETag. */
export function writtenRecord(
  caller: Caller,
  status: 200 | 201 | 202,
  record: Album | Image,
): { readonly body?: string; readonly etag: string } {
  if (status !== 201 && !may(caller, "read", albumOf(record))) return { etag: versionTag(record) };
  const body = JSON.stringify(record);
  return { body, etag: recordTag(record, body) };
}

const albumOf = (record: Album | Image): AlbumRef =>
  "albumId" in record ? { id: record.albumId, name: record.album } : record;
