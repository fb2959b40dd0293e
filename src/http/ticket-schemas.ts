import { z } from "@hono/zod-openapi";
import { actorSchema } from "./key-schemas.ts";
import { imageTypeSchema } from "./schemas.ts";

export const TICKET_LIMITS = {
  maxBytes: "Maximum size of each file in bytes. Null: as much as the store accepts.",
  contentTypes: "Image types that may be uploaded, as their bytes say. Null: all that the store accepts.",
  files: "How many files may be uploaded with the ticket in all.",
};

const time = () => z.iso.datetime({ precision: 3 });
export const ticketFields = {
  id: z.string().openapi({ description: "Id of the ticket. Events of its uploads have it in `actor`." }),
  name: z.string().nullable().openapi({ description: "Name of the image. Null: the uploader names the files." }),
  maxBytes: z.int().nullable().openapi({ description: TICKET_LIMITS.maxBytes }),
  contentTypes: z.array(imageTypeSchema).nullable().openapi({ description: TICKET_LIMITS.contentTypes }),
  files: z.int().min(1).openapi({ description: TICKET_LIMITS.files }),
  filesLeft: z.int().min(0).openapi({ description: "How many files may still be uploaded." }),
  fields: z
    .strictObject({
      title: z.string().nullable(),
      description: z.string().nullable(),
      metadata: z.record(z.string(), z.string()),
      tags: z.array(z.string()),
      focalPoint: z.strictObject({ x: z.number(), y: z.number() }).nullable(),
    })
    .nullable()
    .openapi({ description: "Fields of each image." }),
  createdBy: actorSchema,
  createdAt: time(),
  expiresAt: time(),
};
export const ticketSchema = z.strictObject(ticketFields).openapi("Ticket");
