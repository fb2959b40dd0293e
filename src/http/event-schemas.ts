import { z } from "@hono/zod-openapi";
import { EVENT_REASONS } from "../domain/event.ts";
import { actorSchema, quotaSchema, storedKeySchema } from "./key-schemas.ts";
import { cursorSchema } from "./listing-schemas.ts";
import { loggedAlbumShape, loggedImageShape } from "./schemas.ts";
import { loggedShareSchema } from "./share-schemas.ts";
import { ticketFields } from "./ticket-schemas.ts";
import { eventTypeSchema, webhookFields } from "./webhook-schemas.ts";

const why = {
  reason: z.enum(EVENT_REASONS),
  actor: actorSchema.optional(),
  previousName: z.string().optional().openapi({ description: "The name before a rename." }),
};
const otherAlbumSchema = z.strictObject({ id: z.uuid(), name: z.string() }).openapi("OtherAlbum", {
  description:
    "The album that an image left (`previousAlbum`) or entered (`newAlbum`) when it moved. Absent for a reader who may not see that album.",
});
const copiedImageSchema = z
  .strictObject({ id: z.uuid(), name: z.string(), album: z.string(), albumId: z.uuid() })
  .openapi("CopiedImage", {
    description: "The image of which this one is a copy. Absent for a reader who may not see its album.",
  });
const moved = {
  previousAlbum: otherAlbumSchema.optional(),
  newAlbum: otherAlbumSchema.optional(),
  copiedFrom: copiedImageSchema.optional(),
};
// `grants` of a key, `contentTypes` of a ticket and `types` of a webhook are always there. typescript-fetch makes one class of all kinds of data and fails where such a list is
// missing that it takes for required.
const eventDataSchema = z
  .union([
    z.strictObject({ ...loggedAlbumShape, ...why }).openapi("AlbumEventData"),
    z.strictObject({ ...loggedImageShape, ...why, ...moved }).openapi("ImageEventData"),
    z
      .strictObject({
        ...storedKeySchema.shape,
        grants: storedKeySchema.shape.grants.optional(),
        reason: z.enum(["user"]),
        actor: actorSchema,
      })
      .openapi("KeyEventData"),
    z
      .strictObject({
        ...ticketFields,
        contentTypes: ticketFields.contentTypes.optional(),
        reason: z.enum(["user"]),
        actor: actorSchema,
      })
      .openapi("TicketEventData"),
    z
      .strictObject({ ...loggedShareSchema.shape, reason: z.enum(["user"]), actor: actorSchema })
      .openapi("ShareEventData"),
    z
      .strictObject({ ...quotaSchema.omit({ used: true }).shape, reason: z.enum(["user"]), actor: actorSchema })
      .openapi("QuotaEventData"),
    z
      .strictObject({
        name: z.string(),
        cursor: cursorSchema,
        previousCursor: cursorSchema.openapi({ description: "The position before the rewind." }),
        reason: z.enum(["user"]),
        actor: actorSchema,
      })
      .openapi("CursorEventData"),
    z
      .strictObject({
        ...webhookFields,
        types: webhookFields.types.optional(),
        from: z.string().optional().openapi({ description: "Of a replay: the cursor that it begins behind." }),
        to: z
          .string()
          .nullable()
          .optional()
          .openapi({ description: "Of a replay: the cursor that it ends at. Null: none." }),
        reason: z.enum(["user", "delivery-failed"]),
        actor: actorSchema,
      })
      .openapi("WebhookEventData"),
  ])
  .openapi("EventData", {
    description:
      "The record after the change, or the last record before a deletion. Events that an earlier version wrote lack the fields " +
      "that records got later.",
  });
export const cloudEventSchema = z
  .strictObject({
    specversion: z.literal("1.0"),
    id: z.uuid().openapi({ description: "A repeated delivery of the event has the same id." }),
    source: z.string(),
    type: eventTypeSchema,
    subject: z.string(),
    time: z.iso.datetime({ precision: 3 }),
    datacontenttype: z.literal("application/json"),
    partitionkey: z.uuid().openapi({
      description:
        "The album's id, or the store's for an event of no album. Events with the same key keep their order.",
    }),
    sequence: z
      .string()
      .regex(/^\d{20}$/)
      .openapi({ description: "Sorts as text in the order of the log." }),
    traceparent: z
      .string()
      .optional()
      .openapi({ description: "W3C trace context of the request that made the change." }),
    data: eventDataSchema,
  })
  .openapi("CloudEvent", { description: "CloudEvents 1.0." });

const albumId = "0192e4a0-7c1b-7d3e-9f00-4a5b6c7d8e9f";
export const exampleEvent = {
  specversion: "1.0",
  id: "0192e4a0-8f10-7aa1-8c11-0d9e8f7a6b5c",
  source: "/image-store/0192e49f-0000-7000-8000-00000000beef",
  type: "imagestore.album.created",
  subject: `albums/${albumId}`,
  time: "2026-07-14T09:30:00.000Z",
  datacontenttype: "application/json",
  partitionkey: albumId,
  sequence: "29500321000000001042",
  data: {
    id: albumId,
    name: "Summer 2026",
    title: null,
    description: null,
    metadata: {},
    visibility: "private",
    imageCount: 0,
    byteCount: 0,
    revision: 1,
    createdAt: "2026-07-14T09:30:00.000Z",
    updatedAt: "2026-07-14T09:30:00.000Z",
    reason: "user",
    actor: { kind: "key", id: "app", name: "app" },
  },
};
export const exampleCursor = "MS4yOTUwMDMyMS4xMDQy";
