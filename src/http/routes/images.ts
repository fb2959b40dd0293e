import { z } from "@hono/zod-openapi";
import type { Image } from "../../domain/image.ts";
import { IMAGE_ORDERS } from "../../domain/page.ts";
import { getAlbum } from "../../operations/albums.ts";
import {
  deleteImage,
  getImage,
  getImageById,
  type ImagePorts,
  listImages,
  updateImage,
} from "../../operations/images.ts";
import type { ImageQuery } from "../../ports.ts";
import { recordPreconditions } from "../conditional.ts";
import { answerPage, pageQuery, pageScope } from "../paging.ts";
import { answerRecord } from "../record-answer.ts";
import { answers, type Route, type RouteRequest, route } from "../route.ts";
import { imagePatchSchema, imageSchema, orderParameter, pageOf, pageParameters, textParameter } from "../schemas.ts";

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
  sound: true,
  unsoundReason: null,
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

const listQuery = z.strictObject({
  ...pageParameters,
  orderBy: orderParameter(IMAGE_ORDERS).openapi({
    description: "`-` for descending. By `takenAt`, images without one come last, either way.",
  }),
  contentType: textParameter().optional().openapi({ description: "Images of this type only.", example: "image/png" }),
  tag: textParameter().optional().openapi({ description: "Images with this tag only." }),
  sha256: textParameter().optional().openapi({ description: "Images with these bytes only: lower-case hex." }),
  createdAfter: timeParameter().optional().openapi({ description: "Exclusive." }),
  createdBefore: timeParameter().optional().openapi({ description: "Exclusive." }),
  takenAfter: timeParameter()
    .optional()
    .openapi({ description: "Exclusive. Compared with `exif.takenAt`; images without one do not pass." }),
  takenBefore: timeParameter().optional().openapi({ description: "Exclusive, as `takenAfter`." }),
});

const page = answers(
  "A page.",
  pageOf(imageSchema, "ImagePage"),
  { items: [exampleImage], nextPageToken: "WzEsIjJr…", watermark: "MS4xLjQy" },
  ["Link"],
);

async function answerList(
  request: RouteRequest<Readonly<Record<string, string>>, z.output<typeof listQuery>>,
  ports: ImagePorts,
  albumId?: string,
): Promise<Response> {
  const scope = pageScope("listImages", request.query, albumId);
  const { pageSize: _size, pageToken: _token, orderBy: _order, q: _prefix, ...filters } = request.query;
  const given = Object.fromEntries(Object.entries(filters).filter(([, value]) => value !== undefined));
  const query: ImageQuery = {
    ...pageQuery(request.query, scope),
    ...given,
    ...(albumId === undefined ? {} : { albumId }),
  };
  return answerPage(request, await listImages(ports, query), scope);
}

const listInAlbum = route(
  {
    method: "GET",
    path: "/v1/albums/{album}/images",
    operationId: "listImages",
    right: "read",
    summary: "List the images of an album",
    tag,
    query: listQuery,
    responses: { 200: page },
    errors: ["album_not_found", "invalid_page_token"],
  },
  async (request, ports: ImagePorts) => answerList(request, ports, (await getAlbum(ports, request.params.album)).id),
);

const listAll = route(
  {
    method: "GET",
    path: "/v1/images",
    operationId: "listAllImages",
    right: "read",
    summary: "List the images of all albums",
    description: "`sha256` finds images with the same bytes.",
    tag,
    query: listQuery,
    responses: { 200: page },
    errors: ["invalid_page_token"],
  },
  async (request, ports: ImagePorts) => answerList(request, ports),
);

const record = {
  200: answers("The record.", imageSchema, exampleImage, ["ETag"]),
  304: { description: "The client has it already.", headers: ["ETag"] as const },
};

const get = route(
  {
    method: "GET",
    path: "/v1/albums/{album}/images/{image}",
    operationId: "getImage",
    right: "read",
    summary: "Get the record of an image",
    tag,
    requestHeaders: ["If-None-Match", "If-Match"],
    responses: record,
    errors: ["album_not_found", "image_not_found", "precondition_failed"],
  },
  async (request, ports: ImagePorts) => {
    const { album, image } = request.params;
    return answerRecord(request, 200, (await getImage(ports, album, image)).image);
  },
);

const getById = route(
  {
    method: "GET",
    path: "/v1/images/{id}",
    operationId: "getImageById",
    right: "read",
    summary: "Get the record of an image by its id",
    description: "An id stays through renames and new bytes.",
    tag,
    requestHeaders: ["If-None-Match", "If-Match"],
    responses: record,
    errors: ["image_not_found", "precondition_failed"],
  },
  async (request, ports: ImagePorts) =>
    answerRecord(request, 200, (await getImageById(ports, request.params.id)).image),
);

const update = route(
  {
    method: "PATCH",
    path: "/v1/albums/{album}/images/{image}",
    operationId: "updateImage",
    right: "write",
    summary: "Change the record of an image",
    description: "A merge patch (RFC 7396). `name` renames the image.",
    tag,
    body: {
      schema: imagePatchSchema,
      example: { title: "The lake", tags: ["lake"], metadata: { camera: null } },
      types: ["application/merge-patch+json", "application/json"],
    },
    requestHeaders: ["If-Match"],
    responses: { 200: answers("The record as it is now.", imageSchema, { ...exampleImage, revision: 2 }, ["ETag"]) },
    errors: ["album_not_found", "image_not_found", "image_exists", "precondition_failed"],
  },
  async (request, ports: ImagePorts) =>
    answerRecord(request, 200, await updateImage(ports, targetOf(request), request.body)),
);

const remove = route(
  {
    method: "DELETE",
    path: "/v1/albums/{album}/images/{image}",
    operationId: "deleteImage",
    right: "write",
    summary: "Delete an image",
    tag,
    requestHeaders: ["If-Match"],
    responses: { 204: { description: "It is gone." } },
    errors: ["album_not_found", "image_not_found", "precondition_failed"],
  },
  async (request, ports: ImagePorts) => {
    await deleteImage(ports, targetOf(request));
    return new Response(null, { status: 204 });
  },
);

const targetOf = ({ params, raw, traceparent }: RouteRequest<{ readonly album: string; readonly image: string }>) => ({
  album: params.album,
  name: params.image,
  preconditions: recordPreconditions(raw.headers),
  traceparent,
});

export const imageRoutes: readonly Route<ImagePorts>[] = [listInAlbum, listAll, get, getById, update, remove];
