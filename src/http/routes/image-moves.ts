import { z } from "@hono/zod-openapi";
import { IF_EXISTS, type PutImage, type Replayable } from "../../domain/change.ts";
import { type CopyDeps, copyImage } from "../../operations/copy-image.ts";
import { type MoveDeps, moveImage } from "../../operations/move-image.ts";
import { recordPreconditions } from "../conditional.ts";
import { fingerprint, readIdempotencyKey } from "../idempotency-key.ts";
import { fieldsOf } from "../image-form.ts";
import { readJsonBody } from "../json-body.ts";
import { answerWrite, CHANGED, CREATED, REPLAYED } from "../record-answer.ts";
import { answers, type Route, type RouteRequest, route } from "../route.ts";
import { imageFieldsSchema, imageNameSchema, imageSchema, nameSchema, sha256Schema } from "../schemas.ts";
import { exampleImage } from "./images.ts";

const tag = "Images";

const destination = {
  album: nameSchema.openapi({ description: "Name of the album that the image enters." }),
  name: imageNameSchema.optional().openapi({ description: "Name of the image there. Default: its current name." }),
  ifExists: z
    .enum(IF_EXISTS)
    .optional()
    .openapi("IfExists", {
      default: "fail",
      description:
        "What to do if the album has an image of that name. `fail`: respond with 409. `replace`: replace that image. " +
        "`keep-both`: use the next free name, such as `lake (2).jpg`.",
    }),
};

export const imageMoveSchema = z.strictObject(destination).openapi("ImageMove");

const moved = {
  ...exampleImage,
  album: "Best of 2026",
  albumId: "0192e4a0-9d2e-7b4f-8a10-6b7c8d9e0f1a",
  revision: 2,
  links: { ...exampleImage.links, self: "/v1/albums/Best%20of%202026/images/lake.jpg" },
};

const move = route(
  {
    method: "POST",
    path: "/v1/albums/{album}/images/{image}/move",
    operationId: "moveImage",
    right: ["read", "delete"],
    summary: "Move an image to another album",
    description:
      "The image keeps its id, bytes, fields, description and `createdAt`. The caller also needs the right `write` on the other album, and `delete` " +
      "there to replace an image. If the caller may not see the other album, the response is 404 `album_not_found`. Readers of " +
      "the album that the image leaves get the event `imagestore.image.deleted`, readers of the other `imagestore.image.created`, both with the reason " +
      "`moved`. With its own album as `album` and another `name`, the request renames the image.",
    tag,
    body: { schema: imageMoveSchema, example: { album: moved.album } },
    requestHeaders: ["If-Match", "If-Unmodified-Since", "Idempotency-Key"],
    responses: {
      200: answers("The record of the moved image.", imageSchema, moved, [...CHANGED, "Idempotent-Replayed"]),
    },
    errors: [
      "album_not_found",
      "image_not_found",
      "image_exists",
      "original_not_shared",
      "quota_exceeded",
      "precondition_failed",
      "idempotency_key_reused",
    ],
  },
  async (request, deps: MoveDeps) => {
    const { body, caller, params, traceparent } = request;
    const { album, name, ifExists = "fail" } = body;
    const key = readIdempotencyKey(request);
    const { value, replayed } = await moveImage(deps, {
      caller,
      traceparent,
      album: params.album,
      name: params.image,
      target: { album, name },
      ifExists,
      preconditions: recordPreconditions(request),
      idempotency: key && { ...key, fingerprint: fingerprint(request, body) },
    });
    return answerWrite(request, 200, value, value.links.self, replayed ? REPLAYED : {});
  },
);

const copied = { ...moved, id: "0192e4a2-3c4d-7e5f-9a60-7b8c9d0e1f2a", revision: 1 };

const CREATED_OR_REPLACED = {
  201: answers("The record of the new image.", imageSchema, copied, [...CREATED, "Idempotent-Replayed"]),
  200: answers(
    "With `ifExists=replace`, the record of the image whose bytes were replaced.",
    imageSchema,
    { ...copied, revision: 3 },
    [...CHANGED, "Idempotent-Replayed"],
  ),
  204: {
    description:
      "The image was created or replaced. The caller lacks the right `read` on the album, so the response has no record.",
    headers: ["ETag"] as const,
  },
};

const copyErrors = [
  "album_not_found",
  "image_exists",
  "quota_exceeded",
  "upload_expired",
  "blob_damaged",
  "request_in_progress",
  "idempotency_key_reused",
] as const;

const copy = route(
  {
    method: "POST",
    path: "/v1/albums/{album}/images/{image}/copy",
    operationId: "copyImage",
    right: "read",
    summary: "Copy an image",
    description:
      "The copy is a new image with its own bytes. It has the fields and the description of the original. The client uploads no bytes. The caller also " +
      "needs the right `write` on the album that the copy enters. In the event of the copy, `copiedFrom` names the original.",
    tag,
    body: {
      schema: z.strictObject(destination).openapi("ImageCopy"),
      example: { album: moved.album, ifExists: "keep-both" },
    },
    requestHeaders: ["Idempotency-Key"],
    responses: CREATED_OR_REPLACED,
    errors: [...copyErrors, "image_not_found", "original_not_shared"],
  },
  async (request, deps: CopyDeps) => {
    const { body, params } = request;
    const { album, name, ifExists = "fail" } = body;
    const source = { album: params.album, name: params.image };
    return answerCopy(
      request,
      await copyImage(deps, { ...askedBy(request, body), source, target: { album, name }, ifExists }),
    );
  },
);

const knownSchema = z
  .strictObject({
    sha256: sha256Schema.openapi({ description: "Digest of the bytes, in lower-case hex." }),
    name: imageNameSchema.openapi({ description: "Name of the new image." }),
    ifExists: destination.ifExists,
    ...imageFieldsSchema.omit({ name: true }).shape,
  })
  .openapi("ImageByDigest");
const knownBody = { schema: knownSchema, example: { sha256: exampleImage.sha256, name: "dawn.jpg" } };

const createKnown = route(
  {
    method: "POST",
    path: "/v1/albums/{album}/known",
    operationId: "createKnownImage",
    right: "write",
    addsImages: true,
    summary: "Upload a new image by its digest",
    description:
      "If the caller may read an original with these bytes, in any album, the new image gets its own copy of them, and the client sends none. " +
      "Otherwise the response is 404 `bytes_not_found`, whether the store has the bytes or not. `findKnownImages` tells which bytes the store has.",
    tag,
    body: knownBody,
    requestHeaders: ["Idempotency-Key"],
    responses: CREATED_OR_REPLACED,
    errors: [...copyErrors, "bytes_not_found"],
  },
  (request, deps: CopyDeps) => answerKnown(request, deps, request.body),
);

type CopyingRequest = RouteRequest<{ readonly album: string }>;

/** Of a JSON body that comes where images are uploaded. */
export async function createFromJson(request: CopyingRequest, deps: CopyDeps, maxBytes: number): Promise<Response> {
  const body = await readJsonBody(request.raw, knownBody, maxBytes);
  return answerKnown(request, deps, body as z.output<typeof knownSchema>);
}

async function answerKnown(
  request: CopyingRequest,
  deps: CopyDeps,
  body: z.output<typeof knownSchema>,
): Promise<Response> {
  const { sha256, name, ifExists = "fail", ...given } = body;
  const isDescribed = Object.values(given).some((value) => value !== undefined);
  const source = { sha256, ...(isDescribed ? { fields: fieldsOf(given) } : {}) };
  const target = { album: request.params.album, name };
  return answerCopy(request, await copyImage(deps, { ...askedBy(request, body), source, target, ifExists }));
}

function askedBy(request: CopyingRequest, content: unknown) {
  const { caller, traceparent } = request;
  const key = readIdempotencyKey(request);
  const idempotency = key && { ...key, fingerprint: fingerprint(request, content) };
  return { caller, traceparent, callerNow: () => request.callerNow(), idempotency };
}

function answerCopy(request: CopyingRequest, { value, replayed }: Replayable<PutImage>): Response {
  const { created, image } = value;
  return answerWrite(request, created ? 201 : 200, image, image.links.self, replayed ? REPLAYED : {});
}

export const imageMoveRoutes: readonly Route<MoveDeps & CopyDeps>[] = [move, copy, createKnown];
