import { z } from "@hono/zod-openapi";
import { type AlbumFields, EMPTY_ALBUM_FIELDS } from "../../domain/album.ts";
import { StoreError } from "../../domain/errors.ts";
import {
  type AlbumPorts,
  createAlbum,
  deleteAlbum,
  getAlbum,
  listAlbums,
  putAlbum,
  updateAlbum,
} from "../../operations/albums.ts";
import { recordPreconditions } from "../conditional.ts";
import { readIdempotency } from "../idempotency-key.ts";
import { answerPage, pageQuery, pageScope } from "../paging.ts";
import { answerRecord } from "../record-answer.ts";
import { answers, type Route, route } from "../route.ts";
import {
  albumPatchSchema,
  albumSchema,
  booleanParameter,
  newAlbumSchema,
  pageOf,
  pageParameters,
  putAlbumSchema,
} from "../schemas.ts";

const tag = "Albums";
const albumPath = (name: string) => `/v1/albums/${encodeURIComponent(name)}`;

const example = {
  id: "0192e4a0-7c1b-7d3e-9f00-4a5b6c7d8e9f",
  name: "Summer 2026",
  title: "Summer in the Alps",
  description: null,
  metadata: { camera: "X100" },
  imageCount: 12,
  revision: 1,
  createdAt: "2026-07-14T09:30:00.000Z",
  updatedAt: "2026-07-14T09:30:00.000Z",
};

/** Absent ones as a new album has them. */
const fieldsOf = (body: { [Field in keyof AlbumFields]?: AlbumFields[Field] | undefined }): AlbumFields => ({
  title: body.title ?? EMPTY_ALBUM_FIELDS.title,
  description: body.description ?? EMPTY_ALBUM_FIELDS.description,
  metadata: body.metadata ?? EMPTY_ALBUM_FIELDS.metadata,
});

const create = route(
  {
    method: "POST",
    path: "/v1/albums",
    operationId: "createAlbum",
    right: "write",
    summary: "Create an album",
    tag,
    body: { schema: newAlbumSchema, example: { name: "Summer 2026", title: "Summer in the Alps" } },
    requestHeaders: ["Idempotency-Key"],
    responses: { 201: answers("The album.", albumSchema, example, ["ETag", "Location", "Idempotent-Replayed"]) },
    errors: ["album_exists", "request_in_progress", "idempotency_key_reused"],
  },
  async (request, ports: AlbumPorts) => {
    const { body, traceparent } = request;
    const idempotency = readIdempotency(request, body);
    const input = { name: body.name, fields: fieldsOf(body), idempotency, traceparent };
    const { value, replayed } = await createAlbum(ports, input);
    return answerRecord(request, 201, value, {
      Location: albumPath(value.name),
      ...(replayed ? { "Idempotent-Replayed": "true" } : {}),
    });
  },
);

const put = route(
  {
    method: "PUT",
    path: "/v1/albums/{album}",
    operationId: "putAlbum",
    right: "write",
    summary: "Create an album, or replace its fields",
    description: "Fields that are absent become empty. `name` is absent or the one in the path.",
    tag,
    body: { schema: putAlbumSchema, example: { title: "Summer in the Alps" }, optional: true },
    requestHeaders: ["If-Match", "If-None-Match"],
    responses: {
      200: answers("It was there: its fields are replaced.", albumSchema, { ...example, revision: 2 }, ["ETag"]),
      201: answers("It is new.", albumSchema, example, ["ETag", "Location"]),
    },
    errors: ["precondition_failed"],
  },
  async (request, ports: AlbumPorts) => {
    const { body, params, raw, traceparent } = request;
    if (body.name !== undefined && body.name !== params.album) {
      throw new StoreError("invalid_request", "The name is another than the path's. PATCH renames.", {
        errors: [{ pointer: "/name", detail: "must be absent or the name in the path" }],
      });
    }
    const preconditions = recordPreconditions(raw.headers);
    const input = { name: params.album, fields: fieldsOf(body), preconditions, traceparent };
    const { created, album } = await putAlbum(ports, input);
    return created
      ? answerRecord(request, 201, album, { Location: albumPath(album.name) })
      : answerRecord(request, 200, album);
  },
);

const list = route(
  {
    method: "GET",
    path: "/v1/albums",
    operationId: "listAlbums",
    right: "read",
    summary: "List albums",
    tag,
    query: z.strictObject(pageParameters),
    responses: {
      200: answers(
        "A page.",
        pageOf(albumSchema, "AlbumPage"),
        { items: [example], nextPageToken: "WzEsIjJr…", watermark: "MS4xLjQy" },
        ["Link"],
      ),
    },
    errors: ["invalid_page_token"],
  },
  async (request, ports: AlbumPorts) => {
    const scope = pageScope("listAlbums", request.query);
    const page = await listAlbums(ports, pageQuery(request.query, scope));
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
      304: { description: "The client has it already.", headers: ["ETag"] },
    },
    errors: ["album_not_found", "precondition_failed"],
  },
  async (request, ports: AlbumPorts) => answerRecord(request, 200, await getAlbum(ports, request.params.album)),
);

const update = route(
  {
    method: "PATCH",
    path: "/v1/albums/{album}",
    operationId: "updateAlbum",
    right: "write",
    summary: "Change an album",
    description: "A merge patch (RFC 7396). `name` renames the album.",
    tag,
    body: {
      schema: albumPatchSchema,
      example: { title: "Winter", metadata: { camera: null } },
      types: ["application/merge-patch+json", "application/json"],
    },
    requestHeaders: ["If-Match"],
    responses: { 200: answers("The album as it is now.", albumSchema, { ...example, revision: 2 }, ["ETag"]) },
    errors: ["album_not_found", "album_exists", "precondition_failed"],
  },
  async (request, ports: AlbumPorts) => {
    const { body: patch, params, raw, traceparent } = request;
    const preconditions = recordPreconditions(raw.headers);
    return answerRecord(
      request,
      200,
      await updateAlbum(ports, { name: params.album, patch, preconditions, traceparent }),
    );
  },
);

const remove = route(
  {
    method: "DELETE",
    path: "/v1/albums/{album}",
    operationId: "deleteAlbum",
    right: "write",
    summary: "Delete an album",
    tag,
    query: z.strictObject({
      recursive: booleanParameter().optional().openapi({ description: "With all of its images.", default: false }),
    }),
    requestHeaders: ["If-Match"],
    responses: { 204: { description: "It is gone." } },
    errors: ["album_not_found", "album_not_empty", "precondition_failed"],
  },
  async (request, ports: AlbumPorts) => {
    const { params, query, raw, traceparent } = request;
    const preconditions = recordPreconditions(raw.headers);
    await deleteAlbum(ports, { name: params.album, recursive: query.recursive ?? false, preconditions, traceparent });
    return new Response(null, { status: 204 });
  },
);

export const albumRoutes: readonly Route<AlbumPorts>[] = [create, list, get, put, update, remove];
