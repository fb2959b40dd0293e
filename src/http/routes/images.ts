import { z } from "@hono/zod-openapi";
import { whenKnown } from "../../concurrency/maybe-promise.ts";
import { CONTENT_TYPES } from "../../domain/formats.ts";
import type { Image } from "../../domain/image.ts";
import { IMAGE_ORDERS } from "../../domain/page.ts";
import { getAlbum } from "../../operations/albums.ts";
import {
  deleteImage,
  describeImageAgain,
  getImage,
  getImageById,
  type ImageDeps,
  listImages,
  updateImage,
} from "../../operations/images.ts";
import type { ImageQuery } from "../../ports.ts";
import { recordPreconditions } from "../conditional.ts";
import { orderParameter, pageOf, pageParameters, textParameter } from "../listing-schemas.ts";
import { answerPage, pageQuery, pageScope } from "../paging.ts";
import { answerRecord, answerWrite, CHANGED } from "../record-answer.ts";
import { answers, type Route, type RouteRequest, route } from "../route.ts";
import { imagePatchSchema, imageSchema, tagBounds } from "../schemas.ts";

const tag = "Images";

export const exampleImage: Image = {
  id: "0192e4a1-1b2c-7d3e-8f40-5a6b7c8d9e0f",
  name: "lake.jpg",
  album: "Summer 2026",
  albumId: "0192e4a0-7c1b-7d3e-9f00-4a5b6c7d8e9f",
  title: "The lake at dawn",
  description: null,
  metadata: { camera: "X100" },
  tags: ["lake", "dawn"],
  focalPoint: { x: 0.5, y: 0.3333 },
  contentType: "image/jpeg",
  size: 2_483_112,
  sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
  width: 4032,
  height: 3024,
  frames: 1,
  hasAlpha: false,
  orientation: 1,
  described: true,
  placeholder: "1QcSHQRnh493V4dIh4eXh1h4kJUI",
  dominantColour: "#5a7d9a",
  exif: {
    camera: "FUJIFILM X100V",
    lens: "23.0 mm f/2.0",
    exposureTime: 0.004,
    fNumber: 5.6,
    focalLength: 23,
    iso: 160,
    takenAt: "2026-07-14T06:12:40+02:00",
  },
  decodable: true,
  decodeError: null,
  revision: 1,
  createdAt: "2026-07-14T09:31:00.000Z",
  updatedAt: "2026-07-14T09:31:00.000Z",
  links: {
    self: "/v1/albums/Summer%202026/images/lake.jpg",
    content:
      "/v1/images/0192e4a1-1b2c-7d3e-8f40-5a6b7c8d9e0f/content/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
  },
};

const timeParameter = () =>
  z.iso
    .datetime({ offset: true })
    .transform((text) => Date.parse(text))
    .openapi({ type: "string", format: "date-time" });

/** What every listing of images takes. */
export const imageFilters = z.strictObject({
  ...pageParameters,
  orderBy: orderParameter(IMAGE_ORDERS).openapi({
    description: "`-` sorts in descending order. By `takenAt`, images without it come last in both orders.",
  }),
  contentType: textParameter()
    .optional()
    .openapi({ type: "string", enum: Object.values(CONTENT_TYPES), description: "Only images of this media type." }),
  tag: textParameter()
    .optional()
    .openapi({ ...tagBounds, description: "Only images with this tag." }),
  sha256: textParameter().optional().openapi({
    pattern: "^[0-9a-f]{64}$",
    description: "Only images whose bytes have this SHA-256, in lower-case hex.",
  }),
  createdAfter: timeParameter().optional().openapi({ description: "Only images created after this time." }),
  createdBefore: timeParameter().optional().openapi({ description: "Only images created before this time." }),
  takenAfter: timeParameter()
    .optional()
    .openapi({ description: "Only images whose `exif.takenAt` is after this time." }),
  takenBefore: timeParameter()
    .optional()
    .openapi({ description: "Only images whose `exif.takenAt` is before this time." }),
});

export const SHORT_PAGES =
  "Read on with `nextPageToken` until a page has none. A page with filters may be short or empty: if each filter matches more " +
  "than 5,000 images and the order does not cover the only filter, the store searches for 250 ms and returns what it found.";

const page = answers(
  "A page of images.",
  pageOf(imageSchema, "ImagePage"),
  { items: [exampleImage], nextPageToken: "WzEsIjJr…", watermark: "MS4xLjQy" },
  ["Link"],
);

async function answerList(
  request: RouteRequest<Readonly<Record<string, string>>, z.output<typeof imageFilters>>,
  deps: ImageDeps,
  albumId?: string,
): Promise<Response> {
  const scope = pageScope("listImages", request.query, albumId);
  const query = imageQuery(request.query, scope, albumId);
  return answerPage(request, await listImages(deps, request.caller, query, request), scope);
}

/** @throws StoreError `invalid_page_token` */
export function imageQuery(
  parameters: z.output<typeof imageFilters>,
  scope: string,
  albumId: string | undefined,
): Omit<ImageQuery, "visibility"> {
  const { pageSize: _size, pageToken: _token, orderBy: _order, q: _prefix, ...filters } = parameters;
  const given = Object.fromEntries(Object.entries(filters).filter(([, value]) => value !== undefined));
  return { ...pageQuery(parameters, scope), ...given, ...(albumId === undefined ? {} : { albumId }) };
}

const listInAlbum = route(
  {
    method: "GET",
    path: "/v1/albums/{album}/images",
    operationId: "listImages",
    right: "read",
    summary: "List the images of an album",
    description: SHORT_PAGES,
    tag,
    query: imageFilters,
    responses: { 200: page },
    errors: ["album_not_found", "invalid_page_token"],
  },
  async (request, deps: ImageDeps) => {
    const { caller, params } = request;
    return answerList(request, deps, (await getAlbum(deps, { caller, name: params.album })).id);
  },
);

const listAll = route(
  {
    method: "GET",
    path: "/v1/images",
    operationId: "listAllImages",
    right: "read",
    summary: "List the images of all albums",
    description: `\`sha256\` finds images with the same bytes. ${SHORT_PAGES}`,
    tag,
    query: imageFilters,
    responses: { 200: page },
    errors: ["invalid_page_token"],
  },
  async (request, deps: ImageDeps) => answerList(request, deps),
);

const record = {
  200: answers("The image record.", imageSchema, exampleImage, ["ETag"]),
  304: { description: "The client's copy is current.", headers: ["ETag"] as const },
};

const get = route(
  {
    method: "GET",
    path: "/v1/albums/{album}/images/{image}",
    operationId: "getImage",
    right: "read",
    summary: "Get an image record",
    tag,
    requestHeaders: ["If-None-Match", "If-Match"],
    responses: record,
    errors: ["album_not_found", "image_not_found", "precondition_failed"],
  },
  (request, deps: ImageDeps) => {
    const { caller, params } = request;
    const found = getImage(deps, { caller, album: params.album, name: params.image });
    return whenKnown(found, ({ image }) => answerRecord(request, image));
  },
);

const getById = route(
  {
    method: "GET",
    path: "/v1/images/{id}",
    operationId: "getImageById",
    right: "read",
    summary: "Get an image record by id",
    description: "The id stays the same when the image is renamed or its bytes are replaced.",
    tag,
    requestHeaders: ["If-None-Match", "If-Match"],
    responses: record,
    errors: ["image_not_found", "precondition_failed"],
  },
  (request, deps: ImageDeps) => {
    const { caller, params } = request;
    return whenKnown(getImageById(deps, { caller, id: params.id }), ({ image }) => answerRecord(request, image));
  },
);

const update = route(
  {
    method: "PATCH",
    path: "/v1/albums/{album}/images/{image}",
    operationId: "updateImage",
    right: "write",
    summary: "Update an image record",
    description:
      "A merge patch (RFC 7396). `name` renames the image. Setting members of `metadata` also needs the right `read`.",
    tag,
    body: {
      schema: imagePatchSchema,
      example: { title: "The lake", tags: ["lake"], metadata: { camera: null } },
      types: ["application/merge-patch+json", "application/json"],
    },
    requestHeaders: ["If-Match", "If-Unmodified-Since"],
    responses: { 200: answers("The changed record.", imageSchema, { ...exampleImage, revision: 2 }, CHANGED) },
    errors: ["album_not_found", "image_not_found", "image_exists", "precondition_failed"],
  },
  async (request, deps: ImageDeps) => {
    const image = await updateImage(deps, targetOf(request), request.body);
    return answerWrite(request, 200, image, image.links.self);
  },
);

const remove = route(
  {
    method: "DELETE",
    path: "/v1/albums/{album}/images/{image}",
    operationId: "deleteImage",
    right: "delete",
    summary: "Delete an image",
    tag,
    requestHeaders: ["If-Match", "If-Unmodified-Since"],
    responses: { 204: { description: "The image was deleted." } },
    errors: ["album_not_found", "image_not_found", "precondition_failed"],
  },
  async (request, deps: ImageDeps) => {
    await deleteImage(deps, targetOf(request));
    return new Response(null, { status: 204 });
  },
);

const UNDESCRIBED_EXAMPLE = {
  ...exampleImage,
  described: false,
  placeholder: null,
  dominantColour: null,
  exif: null,
  decodable: null,
};

const describeAgain = route(
  {
    method: "POST",
    path: "/v1/images/{id}/describe",
    operationId: "describeImage",
    right: "write",
    summary: "Describe an image again",
    description:
      "Discards the description of the image and queues the image again. `described` is false until the new description " +
      "is stored. Use it after an upgrade, or when an image was wrongly called damaged. When the store describes no " +
      "images (`IMAGE_STORE_DESCRIBE=false`), it stays undescribed.",
    tag,
    responses: {
      202: answers("The record without its description.", imageSchema, UNDESCRIBED_EXAMPLE, CHANGED),
    },
    errors: ["image_not_found"],
  },
  async (request, deps: ImageDeps) => {
    const { caller, params, traceparent } = request;
    const image = await describeImageAgain(deps, { caller, id: params.id, traceparent });
    return answerWrite(request, 202, image, image.links.self);
  },
);

const targetOf = (request: RouteRequest<{ readonly album: string; readonly image: string }>) => ({
  caller: request.caller,
  album: request.params.album,
  name: request.params.image,
  preconditions: recordPreconditions(request),
  traceparent: request.traceparent,
});

export const imageRoutes: readonly Route<ImageDeps>[] = [
  listInAlbum,
  listAll,
  get,
  getById,
  update,
  remove,
  describeAgain,
];
