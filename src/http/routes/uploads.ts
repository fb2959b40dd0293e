import { z } from "@hono/zod-openapi";
import type { PutImage, Replayable } from "../../domain/change.ts";
import { StoreError } from "../../domain/errors.ts";
import { CONTENT_TYPES } from "../../domain/image.ts";
import type { Limits } from "../../domain/limits.ts";
import { type IncomingImage, type ReceivedImage, type UploadPorts, uploadImages } from "../../operations/upload.ts";
import { contentPreconditions, contentTag } from "../conditional.ts";
import { readIdempotency } from "../idempotency-key.ts";
import { parseBoundary, readImageForm } from "../image-form.ts";
import { essenceOf, parseDeclaredType } from "../media-type.ts";
import { answerRecord } from "../record-answer.ts";
import { answers, json, type MediaType, type Route, type RouteRequest, route } from "../route.ts";
import { imageFieldsSchema, imageSchema, nameSchema } from "../schemas.ts";
import { withBody } from "../upload.ts";
import { exampleImage } from "./images.ts";

export interface UploadNeeds extends UploadPorts {
  readonly limits: Limits;
  /** How long a client may be slower than `limits.minUploadRate`, in milliseconds. */
  readonly uploadPatience?: number;
}

const tag = "Images";
const DEFAULT_PATIENCE = 10_000;
const FORM = "multipart/form-data";

const bytes: Readonly<Record<string, MediaType>> = Object.fromEntries(
  [...Object.values(CONTENT_TYPES), "application/octet-stream"].map((type) => [type, { schema: "binary" }]),
);
const formSchema = z
  .strictObject({
    record: imageFieldsSchema.optional().openapi({ description: "Of the file after it; may precede each file." }),
    file: z.array(z.string().openapi({ format: "binary" })).min(1),
  })
  .openapi("ImageForm");

const uploadErrors = [
  "album_not_found",
  "invalid_request",
  "empty_body",
  "request_timeout",
  "too_large",
  "unsupported_image",
  "unsupported_media_type",
  "digest_mismatch",
  "image_too_large",
  "invalid_image",
  "upload_expired",
] as const;

const create = route(
  {
    method: "POST",
    path: "/v1/albums/{album}/images",
    operationId: "createImages",
    right: "write",
    summary: "Upload new images",
    description:
      "The bytes of one image, with its name in the query, answer its record. A form with one or many files, each under its " +
      "file name, answers `items`: all are stored, or none. What the bytes are is read from themselves.",
    tag,
    query: z.strictObject({
      name: nameSchema
        .optional()
        .openapi({ description: "Of the image, where the body is its bytes.", example: "lake.jpg" }),
    }),
    streams: { ...bytes, [FORM]: { schema: formSchema } },
    requestHeaders: ["Idempotency-Key", "Content-Digest"],
    responses: {
      201: answers(
        "The record of one image, or those of a form's, as `items`.",
        z.union([imageSchema, z.strictObject({ items: z.array(imageSchema) }).openapi("NewImages")]),
        exampleImage,
        ["ETag", "Location", "Idempotent-Replayed"],
      ),
    },
    errors: [...uploadErrors, "image_exists", "request_in_progress", "idempotency_key_reused"],
  },
  (request, needs: UploadNeeds) => {
    const contentType = request.raw.headers.get("content-type") ?? "";
    return essenceOf(contentType) === FORM ? createMany(request, needs, contentType) : createOne(request, needs);
  },
);

type CreateRequest = RouteRequest<{ readonly album: string }, { readonly name?: string | undefined }>;

function createOne(request: CreateRequest, needs: UploadNeeds): Promise<Response> {
  return receive(request, needs, needs.limits.maxUpload, async (body) => {
    const { name } = request.query;
    if (name === undefined) {
      throw new StoreError("invalid_request", "The image has no name.", {
        errors: [{ parameter: "name", detail: "is needed where the body is an image and no form" }],
      });
    }
    const { value, replayed } = await createFrom(request, needs, [imageOf(request, name, body)]);
    const image = onlyOne(value).image;
    return answerRecord(request, 201, image, { Location: image.links.self, ...(replayed ? REPLAYED : {}) });
  });
}

function createMany(request: CreateRequest, needs: UploadNeeds, contentType: string): Promise<Response> {
  return receive(request, needs, needs.limits.maxMultipart, async (body) => {
    if (request.query.name !== undefined) {
      throw new StoreError("invalid_request", "The images of a form have names of their own.", {
        errors: [{ parameter: "name", detail: "must be absent" }],
      });
    }
    const { value, replayed } = await createFrom(request, needs, readImageForm(body, parseBoundary(contentType)));
    return json(201, { items: value.map(({ image }) => image) }, replayed ? REPLAYED : {});
  });
}

const REPLAYED = { "Idempotent-Replayed": "true" };

const createFrom = (
  request: CreateRequest,
  needs: UploadNeeds,
  images: AsyncIterable<IncomingImage> | Iterable<IncomingImage>,
): Promise<Replayable<readonly PutImage[]>> =>
  uploadImages(needs, {
    album: request.params.album,
    mode: "create",
    images,
    idempotency: (received) => readIdempotency(request, received.map(fingerprintOf)),
    traceparent: request.traceparent,
  });

const fingerprintOf = ({ name, info, blob, fields }: ReceivedImage) => [
  name,
  info.contentType,
  blob.sha256,
  fields ?? null,
];

const put = route(
  {
    method: "PUT",
    path: "/v1/albums/{album}/images/{image}/content",
    operationId: "putImageContent",
    right: "write",
    summary: "Upload an image, or new bytes of one",
    description:
      "`If-None-Match: *` creates only; `If-Match` with the ETag of the present content replaces that only. Bytes that are " +
      "there already change nothing.",
    tag,
    streams: bytes,
    requestHeaders: ["If-Match", "If-None-Match", "Content-Digest"],
    responses: {
      200: answers("It was there.", imageSchema, { ...exampleImage, revision: 2 }, ["ETag"]),
      201: answers("It is new.", imageSchema, exampleImage, ["ETag", "Location"]),
    },
    errors: [...uploadErrors, "precondition_failed"],
  },
  (request, needs: UploadNeeds) =>
    receive(request, needs, needs.limits.maxUpload, async (body) => {
      const { value } = await uploadImages(needs, {
        album: request.params.album,
        mode: "put",
        images: [imageOf(request, request.params.image, body)],
        preconditions: contentPreconditions(request.raw.headers),
        traceparent: request.traceparent,
      });
      const { created, image } = onlyOne(value);
      const headers = { ETag: contentTag(image.sha256) };
      return created
        ? answerRecord(request, 201, image, { ...headers, Location: image.links.self })
        : answerRecord(request, 200, image, headers);
    }),
);

const receive = (
  request: RouteRequest<unknown>,
  { limits, uploadPatience }: UploadNeeds,
  maxBytes: number,
  use: (body: AsyncIterable<Uint8Array>) => Promise<Response>,
): Promise<Response> =>
  withBody(request.raw, { maxBytes, minRate: limits.minUploadRate, patience: uploadPatience ?? DEFAULT_PATIENCE }, use);

const imageOf = (request: RouteRequest<unknown>, name: string, body: AsyncIterable<Uint8Array>): IncomingImage => ({
  name,
  declaredType: parseDeclaredType(request.raw.headers.get("content-type")),
  bytes: body,
});

function onlyOne(images: readonly PutImage[]): PutImage {
  const [image] = images;
  if (image === undefined) throw new Error("The catalog answered no image for one.");
  return image;
}

export const uploadRoutes: readonly Route<UploadNeeds>[] = [create, put];
