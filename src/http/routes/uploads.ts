import { z } from "@hono/zod-openapi";
import type { PutImage } from "../../domain/change.ts";
import { StoreError } from "../../domain/errors.ts";
import { CONTENT_TYPES } from "../../domain/formats.ts";
import type { Limits } from "../../domain/limits.ts";
import type { CopyDeps } from "../../operations/copy-image.ts";
import type { IncomingImage, StagedImages } from "../../operations/stage-images.ts";
import { type Upload, type UploadDeps, type Uploaded, uploadImages } from "../../operations/upload.ts";
import type { UploadMemory } from "../../operations/upload-memory.ts";
import { contentPreconditions, contentTag } from "../conditional.ts";
import { fingerprint, readIdempotencyKey } from "../idempotency-key.ts";
import { parseBoundary, readImageForm } from "../image-form.ts";
import { essenceOf, parseDeclaredType } from "../media-type.ts";
import { statusOf } from "../problem.ts";
import { answerWrite, CHANGED, CREATED, REPLAYED } from "../record-answer.ts";
import { type BodyLimits, declaredSize, openBody, type RequestBody } from "../request-body.ts";
import { answers, json, type MediaType, type Route, type RouteRequest, route } from "../route.ts";
import { errorCodeSchema, imageFieldsSchema, imageNameSchema, imageSchema } from "../schemas.ts";
import { createFromJson } from "./image-moves.ts";
import { exampleImage } from "./images.ts";

export interface UploadRouteDeps extends UploadDeps, CopyDeps {
  readonly catalog: UploadDeps["catalog"] & CopyDeps["catalog"];
  readonly blobs: UploadDeps["blobs"] & CopyDeps["blobs"];
  readonly limits: Limits;
  readonly uploadMemory: UploadMemory;
  /** How long a client may be slower than `limits.minUploadRate`, in milliseconds. */
  readonly uploadPatience?: number;
}

const tag = "Images";
const DEFAULT_PATIENCE = 10_000;
export const FORM = "multipart/form-data";
const JSON_TYPE = "application/json";

export const digestHeaders = ["Content-Digest", "Repr-Digest", "Content-MD5"] as const;

/**
 * Generated clients send whatever is uploaded as the type that comes first, so that is the one which says nothing of the
 * bytes.
 */
export const binaryTypes: Readonly<Record<string, MediaType>> = Object.fromEntries(
  ["application/octet-stream", ...Object.values(CONTENT_TYPES)].map((type) => [type, { schema: "binary" }]),
);
/** The text fields of a record, as a form has them. What else a form has is ignored, so the object is not strict. */
const formText = (description: string) => z.string().optional().openapi({ description });
const formSchema = z
  .object({
    record: imageFieldsSchema.optional(),
    name: formText("Name of the image instead of its file name, for a form with one file."),
    title: formText("Title of every file whose record has none. Empty text is ignored, here and in the next fields."),
    description: formText("Description of every file whose record has none."),
    tags: formText("Tags of every file whose record has none, separated by commas. The field may be repeated."),
    metadata: formText("Metadata of every file whose record has none, as a JSON object of strings."),
    focalPoint: formText('Focal point of every file whose record has none, as JSON such as {"x": 0.5, "y": 0.3}.'),
    // Without `minItems`, for which the Go generator writes code that does not compile.
    file: z
      .array(z.string().openapi({ format: "binary" }))
      .openapi({ description: "One or more files. Each becomes an image under its file name." }),
  })
  .openapi("ImageForm");

const onErrorParameter = z.enum(["stop", "continue"]).optional().openapi({
  default: "stop",
  description:
    "What to do when a file of a form is refused. `stop`: store none. `continue`: store the others and respond with 207.",
});

const outcomeSchema = z
  .strictObject({
    status: z.int().openapi({ description: "201, or the status of an upload of this file alone." }),
    image: imageSchema.optional(),
    error: z
      .strictObject({
        part: z.int().min(0).openapi({ description: "Position of the file among all parts of the form, from 0." }),
        name: z.string().openapi({ description: "Name of the image." }),
        code: errorCodeSchema,
        detail: z.string(),
      })
      .optional()
      .openapi("UploadError", { description: "Why the file was refused." }),
  })
  .openapi("UploadOutcome");

export const uploadErrors = [
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
  "quota_exceeded",
] as const;

const create = route(
  {
    method: "POST",
    path: "/v1/albums/{album}/images",
    operationId: "createImage",
    right: "write",
    addsImages: true,
    summary: "Upload a new image",
    description: "The body is the image. The store detects the format from the bytes.",
    tag,
    query: z.strictObject({
      name: imageNameSchema.optional().openapi({ param: { required: true }, description: "Name of the image." }),
      onError: onErrorParameter,
    }),
    streams: binaryTypes,
    alternatives: {
      [FORM]: { verb: "accepts", operationId: "createImages" },
      [JSON_TYPE]: { verb: "accepts", operationId: "createKnownImage" },
    },
    requestHeaders: ["Idempotency-Key", ...digestHeaders],
    responses: {
      201: answers("The record of the new image.", imageSchema, exampleImage, [...CREATED, "Idempotent-Replayed"]),
    },
    errors: [...uploadErrors, "image_exists", "request_in_progress", "idempotency_key_reused"],
  },
  (request, deps: UploadRouteDeps) => {
    const contentType = request.raw.headers.get("content-type") ?? "";
    const type = essenceOf(contentType);
    // With a name it is an image of a wrong type.
    if (type === JSON_TYPE && request.query?.name === undefined)
      return createFromJson(request, deps, deps.limits.maxJson);
    return type === FORM ? createMany(request, deps, contentType) : createOne(request, deps);
  },
);

const createFromForm = route(
  {
    method: "POST",
    path: "/v1/albums/{album}/forms",
    operationId: "createImages",
    right: "write",
    addsImages: true,
    summary: "Upload new images in a form",
    description:
      "Each file of the form becomes an image under its file name. All are stored or none, unless " +
      "`onError=continue`. The store detects the formats from the bytes. A part with a file name is a file, whatever its " +
      "field name. A JSON part `record` describes the file that follows it. The text fields `name`, `title`, " +
      "`description`, `tags`, `metadata` and `focalPoint` describe every file, wherever they are in the form; its record takes " +
      "precedence. Other text fields, and files without name and bytes, are ignored. When files are refused, `errors` has an entry " +
      "for each, with its `part`, `name`, `code` and `detail`. Without `onError=continue`, the store stops reading a form over 1 MiB, " +
      "or one without `Content-Length`, at the first refused file; later files then have no entry.",
    tag,
    query: z.strictObject({ onError: onErrorParameter }),
    streams: {
      [FORM]: { schema: formSchema, encoding: { record: { contentType: "application/json" } } },
    },
    requestHeaders: create.definition.requestHeaders ?? [],
    responses: {
      201: answers(
        "The records of the images, in the order of the files.",
        z.strictObject({ items: z.array(imageSchema) }).openapi("CreatedImages"),
        { items: [exampleImage] },
        ["Idempotent-Replayed"],
      ),
      207: answers(
        "With `onError=continue`, when some files were stored and others refused: the outcome of each, in the order of the files.",
        z.strictObject({ items: z.array(outcomeSchema) }).openapi("UploadOutcomes"),
        {
          items: [
            { status: 201, image: exampleImage },
            {
              status: 415,
              error: {
                part: 1,
                name: "notes.txt",
                code: "unsupported_image",
                detail: "The bytes are not an image of an accepted type.",
              },
            },
          ],
        },
        ["Idempotent-Replayed"],
      ),
    },
    errors: create.definition.errors,
  },
  (request, deps: UploadRouteDeps) => {
    const contentType = request.raw.headers.get("content-type") ?? "";
    if (essenceOf(contentType) === FORM) return createMany(request, deps, contentType);
    throw new StoreError("unsupported_media_type", `The body must be of the type ${FORM}.`);
  },
);

type CreateRequest = RouteRequest<
  { readonly album: string },
  { readonly name?: string | undefined; readonly onError?: "stop" | "continue" | undefined } | undefined
>;

async function createOne(request: CreateRequest, deps: UploadRouteDeps): Promise<Response> {
  using body = openBody(request.raw, bodyLimits(deps, deps.limits.maxUpload));
  const name = request.query?.name;
  if (name === undefined) {
    throw new StoreError("invalid_request", "The image has no name. Add the query parameter name.", {
      errors: [{ parameter: "name", detail: "is required unless the body is a form" }],
    });
  }
  const { value, replayed } = await createFrom(request, deps, {
    images: [imageOf(request, name, body)],
    declaredBytes: declaredSize(request.raw.headers),
  });
  const { image } = onlyOne(value);
  return answerWrite(request, 201, image, image.links.self, replayed ? REPLAYED : {});
}

async function createMany(request: CreateRequest, deps: UploadRouteDeps, contentType: string): Promise<Response> {
  using body = openBody(request.raw, bodyLimits(deps, deps.limits.maxMultipart));
  if (request.query?.name !== undefined) {
    throw new StoreError("invalid_request", "The files of a form have names of their own. Remove the parameter name.", {
      errors: [{ parameter: "name", detail: "must be absent when the body is a form" }],
    });
  }
  const form = readImageForm(body.bytes, parseBoundary(contentType));
  const done = await createFrom(request, deps, { ...form, onRefusal: onRefusalOf(request) });
  const headers = done.replayed ? REPLAYED : {};
  return done.refused.length === 0
    ? json(201, { items: done.value.map(({ image }) => image) }, headers)
    : json(207, { items: outcomesOf(done) }, headers);
}

function createFrom(
  request: CreateRequest,
  deps: UploadRouteDeps,
  upload: Pick<Upload, "images" | "complete" | "declaredBytes" | "onRefusal">,
): Promise<Uploaded> {
  const key = readIdempotencyKey(request);
  return uploadImages(deps, {
    ...upload,
    caller: request.caller,
    callerNow: () => request.callerNow(),
    album: request.params.album,
    mode: "create",
    idempotency: key && { ...key, fingerprint: (staged) => fingerprint(request, contentOf(staged)) },
    traceparent: request.traceparent,
  });
}

const contentOf = ({ images, refused }: StagedImages) => [
  ...images.map(({ name, info, blob, fields }) => [name, info.contentType, blob.sha256, fields ?? null]),
  ...refused.map(({ name, error }) => [name, error.code]),
];

/** A body of this size has arrived already, and costs nothing more to read to its end. */
const ARRIVED_BYTES = 1024 * 1024;

const onRefusalOf = (request: CreateRequest): NonNullable<Upload["onRefusal"]> =>
  request.query?.onError === "continue" ? "store others" : onRefusalOfAll(request.raw.headers);

/** For a form that is stored as a whole or not at all. */
export function onRefusalOfAll(headers: Headers): "read on" | "stop" {
  const declared = declaredSize(headers);
  return declared !== undefined && declared <= ARRIVED_BYTES ? "read on" : "stop";
}

/** One for each file, in their order. */
function outcomesOf({ value, refused, parts }: Uploaded) {
  const stored = value.map(({ image }) => ({ part: parts.get(image.name) ?? 0, outcome: { status: 201, image } }));
  const others = refused.map(({ part = 0, name, error: { code, message } }) => ({
    part,
    outcome: { status: statusOf(code), error: { part, name, code, detail: message } },
  }));
  return [...stored, ...others].toSorted((one, other) => one.part - other.part).map(({ outcome }) => outcome);
}

const put = route(
  {
    method: "PUT",
    path: "/v1/albums/{album}/images/{image}/content",
    operationId: "putImageContent",
    right: "write",
    addsImages: true,
    summary: "Upload an image, or replace its bytes",
    description:
      "With `If-None-Match: *` the upload only creates. With `If-Match` and the ETag of the current content it only replaces that content. Bytes that are " +
      "already stored under the name change nothing.",
    tag,
    streams: binaryTypes,
    requestHeaders: ["If-Match", "If-None-Match", "If-Unmodified-Since", ...digestHeaders],
    responses: {
      200: answers("The record of the existing image.", imageSchema, { ...exampleImage, revision: 2 }, CHANGED),
      201: answers("The record of the new image.", imageSchema, exampleImage, CREATED),
    },
    errors: [...uploadErrors, "precondition_failed"],
  },
  async (request, deps: UploadRouteDeps) => {
    using body = openBody(request.raw, bodyLimits(deps, deps.limits.maxUpload));
    const { value } = await uploadImages(deps, {
      caller: request.caller,
      callerNow: () => request.callerNow(),
      album: request.params.album,
      mode: "put",
      images: [imageOf(request, request.params.image, body)],
      declaredBytes: declaredSize(request.raw.headers),
      preconditions: contentPreconditions(request),
      traceparent: request.traceparent,
    });
    const { created, image } = onlyOne(value);
    return answerWrite(request, created ? 201 : 200, image, image.links.self, { ETag: contentTag(image.sha256) });
  },
);

export const bodyLimits = (
  { limits, uploadMemory, uploadPatience }: UploadRouteDeps,
  maxBytes: number,
): BodyLimits => ({
  maxBytes,
  minRate: limits.minUploadRate,
  patience: uploadPatience ?? DEFAULT_PATIENCE,
  memory: uploadMemory,
});

const imageOf = (request: RouteRequest<unknown>, name: string, { bytes }: RequestBody): IncomingImage => ({
  name,
  declaredType: parseDeclaredType(request.raw.headers.get("content-type")),
  size: declaredSize(request.raw.headers),
  bytes,
});

function onlyOne(images: readonly PutImage[]): PutImage {
  const [image] = images;
  if (image === undefined) throw new Error("The catalog answered no image for one.");
  return image;
}

export const uploadRoutes: readonly Route<UploadRouteDeps>[] = [create, createFromForm, put];
