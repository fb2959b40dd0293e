import { mayEverywhere } from "../../domain/caller.ts";
import { type AlbumZipDeps, getAlbumZip } from "../../operations/album-zip.ts";
import { answerContent } from "../content.ts";
import type { ResponseHeader } from "../headers.ts";
import { type Route, route } from "../route.ts";

const headers: readonly ResponseHeader[] = [
  "ETag",
  "Cache-Control",
  "Vary",
  "Content-Length",
  "Content-Disposition",
  "Accept-Ranges",
];
const content = { "application/zip": { schema: "binary" as const } };

const get = route(
  {
    method: "GET",
    path: "/v1/albums/{album}/zip",
    operationId: "getAlbumZip",
    right: "read",
    summary: "Download an album as a ZIP archive",
    description:
      "The archive has all images of the album as they were uploaded, sorted by name, without compression. While the album has the same images, the " +
      "archive is the same byte for byte, from any node: to resume a download, send `Range` with `If-Range`. Each file has the name of " +
      "its image, with an extension of its type, and with `_` for characters that file systems refuse. If two names differ only in case, the second " +
      "file has a mark in its name. If an image is deleted, renamed or replaced during the download, the store cuts the connection. The archive does not " +
      "have images that are added during the download. The caller must be allowed to read originals: with " +
      "`IMAGE_STORE_PUBLIC_ORIGINALS=without-location`, the public and shares get `original_not_shared`.",
    tag: "Albums",
    requestHeaders: ["Range", "If-Range", "If-None-Match", "If-Match"],
    responses: {
      200: { description: "The archive.", headers, content },
      206: { description: "The requested range of the archive.", headers: [...headers, "Content-Range"], content },
      304: { description: "The client's copy is current.", headers: ["ETag", "Cache-Control", "Vary"] },
    },
    errors: ["album_not_found", "precondition_failed", "original_not_shared", "range_not_satisfiable", "blob_damaged"],
  },
  async (request, deps: AlbumZipDeps) => {
    const { anyone, caller, params, signal } = request;
    const { version, ...zip } = await getAlbumZip(deps, {
      caller,
      callerNow: () => request.callerNow(),
      album: params.album,
      signal,
    });
    const archive = { ...zip, contentType: "application/zip", sha256: version, modifiedAt: undefined } as const;
    const isForAnyone = deps.publicOriginals === "whole" && mayEverywhere(anyone, "read");
    // Elsewhere the same URL gives the public a refusal.
    const vary = deps.publicOriginals === "whole" ? undefined : "Authorization, Cookie";
    const cacheControl = isForAnyone ? "no-cache" : "private, no-cache";
    return answerContent(request, archive, { cacheControl, crossOrigin: false, vary });
  },
);

export const albumZipRoutes: readonly Route<AlbumZipDeps>[] = [get];
