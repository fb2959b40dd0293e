import { z } from "@hono/zod-openapi";
import { StoreError } from "../../domain/errors.ts";
import { type StoredTicket, ticketCaller, toUploadedImage } from "../../domain/ticket.ts";
import {
  FORM_OVERHEAD,
  findTicket,
  requireUsable,
  type TicketUploadDeps,
  type TicketUploaded,
  uploadByTicket,
} from "../../operations/ticket-uploads.ts";
import { parseBoundary, readImageForm } from "../image-form.ts";
import { essenceOf, parseDeclaredType } from "../media-type.ts";
import { REPLAYED } from "../record-answer.ts";
import { declaredSize, openBody } from "../request-body.ts";
import { answers, json, type Route, type RouteRequest, route } from "../route.ts";
import { imageNameSchema, imageSchema } from "../schemas.ts";
import { exampleImage } from "./images.ts";
import {
  binaryTypes,
  bodyLimits,
  digestHeaders,
  FORM,
  onRefusalOfAll,
  type UploadRouteDeps,
  uploadErrors,
} from "./uploads.ts";

export type TicketUploadRouteDeps = UploadRouteDeps & TicketUploadDeps;

const tag = "Upload tickets";
const PATH = "/v1/uploads/{secret}";

const { shape } = imageSchema;
const uploadedSchema = z
  .strictObject({
    id: shape.id,
    name: shape.name,
    contentType: shape.contentType,
    width: shape.width,
    height: shape.height,
    frames: shape.frames,
    hasAlpha: shape.hasAlpha,
    orientation: shape.orientation,
    size: shape.size,
    sha256: shape.sha256,
    createdAt: shape.createdAt,
    links: z.strictObject({
      content: z
        .string()
        .openapi({ description: "Path of the bytes, by id and digest. The ticket gives no right to read it." }),
    }),
  })
  .openapi("UploadedImage", {
    description: "An image as its uploader sees it, without the fields that the ticket sets.",
  });
const exampleUpload = toUploadedImage(exampleImage);
const formOfUploaded = z.strictObject({ items: z.array(uploadedSchema) }).openapi("UploadedImages");

const REPEATED = "An earlier upload with the ticket stored the same bytes under the same name. Nothing was changed.";
const errors = [
  ...uploadErrors.filter((code) => code !== "album_not_found"),
  "image_exists",
  "ticket_used",
  "request_in_progress",
] as const;

const put = route(
  {
    method: "PUT",
    path: PATH,
    operationId: "uploadWithTicket",
    right: "open",
    caller: "ticket",
    summary: "Upload an image with a ticket",
    description:
      "The body is the image. Its name is that of the ticket, else the parameter `name`, else the id of the ticket with the " +
      "extension of the format. A failed upload does not use the ticket up. After a lost response, the same upload returns " +
      "the same image.",
    tag,
    query: z.strictObject({
      name: imageNameSchema.optional().openapi({ description: "Name of the image, if the ticket has none." }),
    }),
    streams: binaryTypes,
    requestHeaders: digestHeaders,
    responses: {
      200: answers(REPEATED, uploadedSchema, exampleUpload, ["Idempotent-Replayed"]),
      201: answers("The new image.", uploadedSchema, exampleUpload),
    },
    errors,
  },
  async (request, deps: TicketUploadRouteDeps) => {
    const { limits, name, stored } = await begin(request, deps, false);
    using body = openBody(request.raw, bodyLimits(deps, limits.maxUpload));
    const declaredType = parseDeclaredType(request.raw.headers.get("content-type"));
    const image = { name: name ?? stored.ticket.id, declaredType, bytes: body.bytes };
    const { traceparent } = request;
    const done = await uploadByTicket(deps, stored, {
      images: [image],
      named: name !== undefined,
      declaredBytes: declaredSize(request.raw.headers),
      traceparent,
    });
    return answer(done, done.images[0]);
  },
);

const postForm = route(
  {
    method: "POST",
    path: PATH,
    operationId: "uploadFormWithTicket",
    right: "open",
    caller: "ticket",
    summary: "Upload images with a ticket, as a form",
    description:
      "Each file of the form becomes an image under its file name, or a single one under the name of the ticket. All are stored or " +
      "none. Of the text fields only `name` counts, if the ticket has none. A repeated form gets the same images again.",
    tag,
    streams: { [FORM]: { schema: ticketFormSchema() } },
    requestHeaders: digestHeaders,
    responses: {
      200: answers(REPEATED, formOfUploaded, { items: [exampleUpload] }, ["Idempotent-Replayed"]),
      201: answers("The new images, in the order of the files.", formOfUploaded, { items: [exampleUpload] }),
    },
    errors,
  },
  async (request, deps: TicketUploadRouteDeps) => {
    const { limits, stored } = await begin(request, deps, true);
    using body = openBody(request.raw, bodyLimits(deps, limits.maxMultipart));
    const contentType = request.raw.headers.get("content-type") ?? "";
    if (essenceOf(contentType) !== FORM)
      throw new StoreError("unsupported_media_type", `The body must be of the type ${FORM}. Send bytes by PUT.`);
    const form = readImageForm(body.bytes, parseBoundary(contentType));
    const done = await uploadByTicket(deps, stored, {
      ...form,
      named: true,
      declaredBytes: undefined,
      onRefusal: onRefusalOfAll(request.raw.headers),
      traceparent: request.traceparent,
    });
    return answer(done, { items: done.images });
  },
);

function ticketFormSchema() {
  return z
    .object({
      name: z
        .string()
        .optional()
        .openapi({ description: "Name of the image instead of its file name, for a form with one file." }),
      file: z.array(z.string().openapi({ format: "binary" })).openapi({ description: "One or more files." }),
    })
    .openapi("TicketForm");
}

/**
 * What can be found out before the body is read.
 * @throws StoreError `ticket_not_found`, `ticket_expired`, `ticket_used`, `invalid_request`
 */
async function begin(
  request: RouteRequest<{ readonly secret: string }, { readonly name?: string | undefined }>,
  deps: TicketUploadRouteDeps,
  isForm: boolean,
) {
  const stored = await findTicket(deps, request.params.secret);
  const { ticket } = stored;
  request.identify(ticketCaller(stored));
  const given = request.query?.name;
  if (given !== undefined && ticket.name !== null && given !== ticket.name) {
    throw new StoreError("invalid_request", "The ticket is for an image of another name. Remove the parameter name.", {
      errors: [{ parameter: "name", detail: "must be absent, or the name of the ticket" }],
    });
  }
  requireUsable(stored, declaredSize(request.raw.headers), isForm);
  return { stored, name: ticket.name ?? given, limits: limitsOf(deps, stored) };
}

function limitsOf({ limits }: TicketUploadRouteDeps, { ticket, uploads }: StoredTicket) {
  const maxUpload = Math.min(limits.maxUpload, ticket.maxBytes ?? limits.maxUpload);
  const files = ticket.filesLeft || uploads.length;
  return { maxUpload, maxMultipart: Math.min(limits.maxMultipart, files * maxUpload + FORM_OVERHEAD) };
}

const answer = ({ repeated }: TicketUploaded, body: unknown): Response =>
  json(repeated ? 200 : 201, body, repeated ? REPLAYED : {});

export const ticketUploadRoutes: readonly Route<TicketUploadRouteDeps>[] = [put, postForm];
