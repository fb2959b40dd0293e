import { z } from "@hono/zod-openapi";
import { StoreError } from "../../domain/errors.ts";
import { EMPTY_IMAGE_FIELDS } from "../../domain/image.ts";
import type { PageQuery } from "../../domain/page.ts";
import {
  DEFAULT_TICKET_LIFE,
  MAX_TICKET_FILES,
  MAX_TICKET_LIFE,
  MIN_TICKET_LIFE,
  type Ticket,
} from "../../domain/ticket.ts";
import { createTicket, deleteTicket, listTickets, type TicketDeps } from "../../operations/tickets.ts";
import { pageOf, pageParameters } from "../listing-schemas.ts";
import { answerPage, pageQuery, pageScope } from "../paging.ts";
import { answers, json, type Route, route } from "../route.ts";
import { imageFieldsSchema, imageNameSchema, imageTypeSchema } from "../schemas.ts";
import { TICKET_LIMITS, ticketFields, ticketSchema } from "../ticket-schemas.ts";

export interface TicketRouteDeps extends TicketDeps {
  /** Origin under which clients reach the store. */
  readonly publicUrl: string | undefined;
}

const tag = "Upload tickets";

const ticketWishSchema = z
  .strictObject({
    name: imageNameSchema.optional().openapi({
      description: "Name of the image, for a ticket of one file. Without it the uploader names the files.",
    }),
    maxBytes: z.int().min(1).optional().openapi({ description: TICKET_LIMITS.maxBytes }),
    contentTypes: z
      .array(imageTypeSchema)
      .min(1)
      .refine((types) => new Set(types).size === types.length, "must not name a type twice")
      .optional()
      .openapi({ uniqueItems: true, description: TICKET_LIMITS.contentTypes }),
    files: z.int().min(1).max(MAX_TICKET_FILES).default(1).openapi({ description: TICKET_LIMITS.files }),
    expiresIn: z.int().min(MIN_TICKET_LIFE).max(MAX_TICKET_LIFE).default(DEFAULT_TICKET_LIFE).openapi({
      description: "Lifetime of the ticket in seconds. An upload that began before its end may end later.",
    }),
    fields: imageFieldsSchema.omit({ name: true }).optional().openapi("TicketFields", {
      description: "Fields of each image. The store ignores fields that the uploader sends.",
    }),
  })
  .refine(({ name, files }) => name === undefined || files === 1, {
    path: ["files"],
    message: "must be 1 for a ticket with a name",
  })
  .openapi("TicketCreate");

const newTicketSchema = z
  .strictObject({
    ...ticketFields,
    url: z.string().openapi({
      description:
        "Where to upload, by PUT or as a form. It contains the secret, which the store shows only now. Absolute if the store " +
        "has a public URL, otherwise a path.",
    }),
  })
  .openapi("CreatedTicket");

const exampleTicket: Ticket = {
  id: "4kQ9ZrT0bXw2LmNd",
  name: "avatar-42.jpg",
  maxBytes: 5_000_000,
  contentTypes: ["image/jpeg", "image/png"],
  files: 1,
  filesLeft: 1,
  fields: { ...EMPTY_IMAGE_FIELDS, tags: ["avatar"] },
  createdBy: { kind: "key", id: "site", name: "site" },
  createdAt: "2026-07-14T09:31:00.000Z",
  expiresAt: "2026-07-14T09:41:00.000Z",
};

const create = route(
  {
    method: "POST",
    path: "/v1/albums/{album}/tickets",
    operationId: "createTicket",
    right: ["write", "share"],
    summary: "Create an upload ticket",
    description:
      "A client with the `url` can upload to the album, from a page of any origin and without a key, until the ticket is used up " +
      "or expires. Only this response has the secret, so `Idempotency-Key` has no effect.",
    tag,
    body: {
      schema: ticketWishSchema,
      example: {
        name: "avatar-42.jpg",
        maxBytes: 5_000_000,
        contentTypes: ["image/jpeg", "image/png"],
        expiresIn: 600,
      },
      optional: true,
    },
    responses: {
      201: answers("The ticket.", newTicketSchema, {
        ...exampleTicket,
        url: "/v1/uploads/imgtk_4kQ9ZrT0bXw2LmNd_8Yw3…",
      }),
    },
    errors: ["album_not_found"],
  },
  async ({ caller, params, body, traceparent }, deps: TicketRouteDeps) => {
    const { name = null, maxBytes = null, contentTypes = null, files, expiresIn: life, fields } = body;
    const terms = {
      name,
      maxBytes,
      contentTypes,
      files,
      fields: fields === undefined ? null : { ...EMPTY_IMAGE_FIELDS, ...withoutUndefined(fields) },
    };
    const wish = { caller, album: params.album, terms, life, traceparent };
    const { ticket, secret } = await createTicket(deps, wish).catch(inBody);
    const url = `${deps.publicUrl ?? ""}/v1/uploads/${secret}`;
    return json(201, { ...ticket, url }, { "Cache-Control": "no-store" });
  },
);

/** What is wrong with a field is wrong with a member of `fields`. */
function inBody(error: unknown): never {
  if (!(error instanceof StoreError) || error.code !== "invalid_request") throw error;
  const errors = error.errors.map(({ pointer, detail }) => ({ pointer: `/fields${pointer}`, detail }));
  throw new StoreError(error.code, error.message, { errors });
}

const withoutUndefined = <Value extends object>(value: Value) =>
  Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as {
    [Key in keyof Value]?: Exclude<Value[Key], undefined>;
  };

const ORDER: { readonly orderBy: PageQuery<"createdAt">["orderBy"] } = { orderBy: "createdAt" };

const list = route(
  {
    method: "GET",
    path: "/v1/albums/{album}/tickets",
    operationId: "listTickets",
    right: "share",
    summary: "List the upload tickets of an album",
    description: "By creation time, without secrets. A ticket is listed until a day after its expiry.",
    tag,
    query: z.strictObject({ pageSize: pageParameters.pageSize, pageToken: pageParameters.pageToken }),
    responses: {
      200: answers(
        "A page of tickets.",
        pageOf(ticketSchema, "TicketPage"),
        {
          items: [exampleTicket],
          watermark: "MS4xLjQy",
        },
        ["Link"],
      ),
    },
    errors: ["album_not_found", "invalid_page_token"],
  },
  async (request, deps: TicketRouteDeps) => {
    const { caller, params, query } = request;
    let scope = "";
    const page = await listTickets(deps, { caller, album: params.album }, (albumId) => {
      scope = pageScope("listTickets", { ...query, ...ORDER }, albumId);
      return { ...pageQuery({ ...query, ...ORDER }, scope), ...ORDER, albumId };
    });
    return answerPage(request, page, scope);
  },
);

const remove = route(
  {
    method: "DELETE",
    path: "/v1/albums/{album}/tickets/{ticket}",
    operationId: "deleteTicket",
    right: "share",
    summary: "Revoke an upload ticket",
    description: "The ticket accepts no more uploads, and refuses a running one at its end. Its images stay.",
    tag,
    responses: { 204: { description: "The ticket was revoked." } },
    errors: ["album_not_found", "ticket_not_found"],
  },
  async ({ caller, params, traceparent }, deps: TicketRouteDeps) => {
    await deleteTicket(deps, { caller, album: params.album, id: params.ticket, traceparent });
    return new Response(null, { status: 204 });
  },
);

export const ticketRoutes: readonly Route<TicketRouteDeps>[] = [create, list, remove];
