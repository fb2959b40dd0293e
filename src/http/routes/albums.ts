import { z } from "@hono/zod-openapi";
import { type AlbumWish, EMPTY_ALBUM_FIELDS } from "../../domain/album.ts";
import { StoreError } from "../../domain/errors.ts";
import {
  type AlbumDeps,
  createAlbum,
  deleteAlbum,
  getAlbum,
  listAlbums,
  putAlbum,
  updateAlbum,
} from "../../operations/albums.ts";
import { recordPreconditions } from "../conditional.ts";
import { fingerprint, readIdempotencyKey } from "../idempotency-key.ts";
import { booleanParameter, pageOf, pageParameters } from "../listing-schemas.ts";
import { answerPage, pageQuery, pageScope } from "../paging.ts";
import { answerRecord, answerWrite, CHANGED, CREATED } from "../record-answer.ts";
import { answers, type Route, route } from "../route.ts";
import { albumPatchSchema, albumSchema, newAlbumSchema, putAlbumSchema } from "../schemas.ts";

const tag = "Albums";
const albumPath = (name: string) => `/v1/albums/${encodeURIComponent(name)}`;

const example = {
  id: "0192e4a0-7c1b-7d3e-9f00-4a5b6c7d8e9f",
  name: "Summer 2026",
  title: "Summer in the Alps",
  description: null,
  metadata: { camera: "X100" },
  visibility: "private",
  imageCount: 12,
  byteCount: 29_797_344,
  revision: 1,
  createdAt: "2026-07-14T09:30:00.000Z",
  updatedAt: "2026-07-14T09:30:00.000Z",
};

/** Absent ones as a new album has them. */
export const albumFieldsOf = (body: { [Field in keyof AlbumWish]?: AlbumWish[Field] | undefined }): AlbumWish => ({
  title: body.title ?? EMPTY_ALBUM_FIELDS.title,
  description: body.description ?? EMPTY_ALBUM_FIELDS.description,
  metadata: body.metadata ?? EMPTY_ALBUM_FIELDS.metadata,
  visibility: body.visibility,
});

const PUBLISHING = "To make an album public, or private again, the caller also needs the right `share` on it.";

const create = route(
  {
    method: "POST",
    path: "/v1/albums",
    operationId: "createAlbum",
    right: "write",
    summary: "Create an album",
    description: `A new album is private unless it says otherwise. ${PUBLISHING}`,
    tag,
    body: { schema: newAlbumSchema, example: { name: "Summer 2026", title: "Summer in the Alps" } },
    requestHeaders: ["Idempotency-Key"],
    responses: { 201: answers("The album.", albumSchema, example, [...CREATED, "Idempotent-Replayed"]) },
    errors: ["album_exists", "request_in_progress", "idempotency_key_reused"],
  },
  async (request, deps: AlbumDeps) => {
    const { body, caller, traceparent } = request;
    const key = readIdempotencyKey(request);
    const idempotency = key && { ...key, fingerprint: fingerprint(request, body) };
    const input = { caller, name: body.name, fields: albumFieldsOf(body), idempotency, traceparent };
    const { value, replayed } = await createAlbum(deps, input);
    const headers = replayed ? { "Idempotent-Replayed": "true" } : {};
    return answerWrite(request, 201, value, albumPath(value.name), headers);
  },
);

const put = route(
  {
    method: "PUT",
    path: "/v1/albums/{album}",
    operationId: "putAlbum",
    right: "write",
    summary: "Create or replace an album",
    description:
      "Absent fields become empty, but without `visibility` an existing album keeps its own. `name`, if present, must equal the " +
      `name in the path. A name that the caller may not give to an album is 404 \`album_not_found\`. ${PUBLISHING}`,
    tag,
    body: { schema: putAlbumSchema, example: { title: "Summer in the Alps" }, optional: true },
    requestHeaders: ["If-Match", "If-None-Match", "If-Unmodified-Since"],
    responses: {
      200: answers("The existing album, with its fields replaced.", albumSchema, { ...example, revision: 2 }, CHANGED),
      201: answers("The new album.", albumSchema, example, CREATED),
    },
    errors: ["album_not_found", "precondition_failed"],
  },
  async (request, deps: AlbumDeps) => {
    const { body, caller, params, traceparent } = request;
    if (body.name !== undefined && body.name !== params.album) {
      throw new StoreError(
        "invalid_request",
        "The name differs from the name in the path. Use PATCH to rename an album.",
        {
          errors: [{ pointer: "/name", detail: "must be absent or the name in the path" }],
        },
      );
    }
    const preconditions = recordPreconditions(request);
    const input = { caller, name: params.album, fields: albumFieldsOf(body), preconditions, traceparent };
    const { created, album } = await putAlbum(deps, input);
    return answerWrite(request, created ? 201 : 200, album, albumPath(album.name));
  },
);

const list = route(
  {
    method: "GET",
    path: "/v1/albums",
    operationId: "listAlbums",
    right: "read",
    summary: "List albums",
    description:
      "Read on with `nextPageToken` until a page has none. If more than 5,000 albums match `q` and the order is not by name, the " +
      "store searches for 250 ms, and the page may be short or empty.",
    tag,
    query: z.strictObject(pageParameters),
    responses: {
      200: answers(
        "A page of albums.",
        pageOf(albumSchema, "AlbumPage"),
        { items: [example], nextPageToken: "WzEsIjJr…", watermark: "MS4xLjQy" },
        ["Link"],
      ),
    },
    errors: ["invalid_page_token"],
  },
  async (request, deps: AlbumDeps) => {
    const scope = pageScope("listAlbums", request.query);
    const page = await listAlbums(deps, request.caller, pageQuery(request.query, scope), request);
    return answerPage(request, page, scope);
  },
);

const get = route(
  {
    method: "GET",
    path: "/v1/albums/{album}",
    operationId: "getAlbum",
    right: "read",
    summary: "Get an album",
    tag,
    requestHeaders: ["If-None-Match", "If-Match"],
    responses: {
      200: answers("The album.", albumSchema, example, ["ETag"]),
      304: { description: "The client's copy is current.", headers: ["ETag"] },
    },
    errors: ["album_not_found", "precondition_failed"],
  },
  async (request, deps: AlbumDeps) => {
    const { caller, params } = request;
    return answerRecord(request, await getAlbum(deps, { caller, name: params.album }));
  },
);

const update = route(
  {
    method: "PATCH",
    path: "/v1/albums/{album}",
    operationId: "updateAlbum",
    right: "write",
    summary: "Update an album",
    description: `A merge patch (RFC 7396). \`name\` renames the album, but not to one by which the caller would gain a right on it. Setting members of \`metadata\` also needs the right \`read\`. ${PUBLISHING}`,
    tag,
    body: {
      schema: albumPatchSchema,
      example: { title: "Winter", metadata: { camera: null } },
      types: ["application/merge-patch+json", "application/json"],
    },
    requestHeaders: ["If-Match", "If-Unmodified-Since"],
    responses: { 200: answers("The changed album.", albumSchema, { ...example, revision: 2 }, CHANGED) },
    errors: ["album_not_found", "album_exists", "precondition_failed"],
  },
  async (request, deps: AlbumDeps) => {
    const { body: patch, caller, params, traceparent } = request;
    const preconditions = recordPreconditions(request);
    const album = await updateAlbum(deps, { caller, name: params.album, patch, preconditions, traceparent });
    return answerWrite(request, 200, album, albumPath(album.name));
  },
);

const remove = route(
  {
    method: "DELETE",
    path: "/v1/albums/{album}",
    operationId: "deleteAlbum",
    right: "delete",
    summary: "Delete an album",
    tag,
    query: z.strictObject({
      recursive: booleanParameter().optional().openapi({ description: "Delete its images too.", default: false }),
    }),
    requestHeaders: ["If-Match", "If-Unmodified-Since"],
    responses: { 204: { description: "The album was deleted." } },
    errors: ["album_not_found", "album_not_empty", "precondition_failed"],
  },
  async (request, deps: AlbumDeps) => {
    const { caller, params, query, traceparent } = request;
    const preconditions = recordPreconditions(request);
    const recursive = query.recursive ?? false;
    await deleteAlbum(deps, { caller, name: params.album, recursive, preconditions, traceparent });
    return new Response(null, { status: 204 });
  },
);

export const albumRoutes: readonly Route<AlbumDeps>[] = [create, list, get, put, update, remove];
