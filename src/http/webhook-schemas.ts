import { z } from "@hono/zod-openapi";
import { EVENT_TYPES } from "../domain/event.ts";
import { DISABLED_REASONS } from "../domain/webhook.ts";
import { actorSchema, albumsSchema } from "./key-schemas.ts";

const time = () => z.iso.datetime({ precision: 3 });

export const eventTypeSchema = z.enum(EVENT_TYPES).openapi("EventType");

const disabledSchema = z
  .strictObject({
    reason: z.enum(DISABLED_REASONS).openapi({
      description: "`gone`: the receiver answered 410. `failing`: every attempt failed for five days.",
    }),
    at: time(),
  })
  .openapi("WebhookDisabled");

/** As events show it. */
export const webhookFields = {
  id: z.string().openapi({ example: "4Bq7mXw2Zr9TkLc1" }),
  url: z.string(),
  types: z
    .array(eventTypeSchema)
    .nullable()
    .openapi({ description: "Types of events that are sent. Null: all of albums and images." }),
  albums: z.union([z.literal("*"), albumsSchema]).openapi({
    description:
      "Albums whose events are sent, by the names that they had at the time. Events of the audit trail do not go by albums.",
  }),
  description: z.string().nullable(),
  paused: z.boolean().openapi({ description: "Whether a client has paused the deliveries." }),
  disabled: disabledSchema.nullable().openapi({ description: "Why the store sends nothing any more; null: it does." }),
  revision: z.int().min(1),
  createdAt: time(),
  updatedAt: time(),
  createdBy: actorSchema,
};
