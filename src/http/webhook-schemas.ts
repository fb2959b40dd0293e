import { z } from "@hono/zod-openapi";
import { decodeCursor, EVENT_TYPES, encodeCursor, parseEventType, SHORT_EVENT_TYPES } from "../domain/event.ts";
import { canonicalGrant } from "../domain/grant.ts";
import { MAX_OUTBOUND_URL_LENGTH } from "../domain/outbound.ts";
import {
  DISABLED_REASONS,
  MAX_ALBUMS_BYTES,
  MAX_DESCRIPTION_CHARACTERS,
  type WebhookStatus,
} from "../domain/webhook.ts";
import { listChoices, quote } from "../domain/wording.ts";
import { actorSchema, albumsSchema } from "./key-schemas.ts";
import { logPointParameter } from "./listing-schemas.ts";
import { cleanTextSchema } from "./schemas.ts";

const time = () => z.iso.datetime({ precision: 3 });

export const eventTypeSchema = z.enum(EVENT_TYPES).openapi("EventType");

const disabledSchema = z
  .strictObject({
    reason: z.enum(DISABLED_REASONS).openapi({
      description: "`gone`: the receiver answered 410. `failing`: every attempt failed for five days.",
    }),
    at: time(),
  })
  .openapi("WebhookDisabled", { description: "Why the store has disabled the webhook. Null: it has not." });

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
  disabled: disabledSchema.nullable(),
  revision: z.int().min(1),
  createdAt: time(),
  updatedAt: time(),
  createdBy: actorSchema,
};

const cursor = (description: string) => z.string().openapi({ description });

const replayProgressSchema = z
  .strictObject({ cursor: cursor("How far it is."), to: cursor("Where it ends.") })
  .openapi("WebhookReplay", { description: "The range of the log that is being sent again." });

const deliverySchema = z
  .strictObject({
    cursor: cursor("Everything up to this position of the log was delivered, left out, or waits in a blocked album."),
    lagEvents: z.int().min(0).openapi({ description: "Number of events in the log behind the cursor." }),
    blockedAlbums: z
      .int()
      .min(0)
      .openapi({ description: "Number of albums whose events wait until one of them is delivered." }),
    failingSince: time()
      .nullable()
      .openapi({ description: "Since when every attempt has failed; null: the last one did not." }),
    retryAt: time().nullable().openapi({ description: "When the store tries again, if all deliveries wait for that." }),
    lostEventsAt: time().nullable().openapi({
      description:
        "When the log last dropped events that were not delivered, because it was over its limit. Null: never.",
    }),
    replay: replayProgressSchema.nullable(),
  })
  .openapi("WebhookDelivery");

const statusFields = {
  ...webhookFields,
  formerSecretsUntil: time()
    .nullable()
    .openapi({ description: "Until when former secrets sign too; null: only the present one signs." }),
  delivery: deliverySchema,
};
export const webhookSchema = z
  .strictObject(statusFields)
  .openapi("Webhook", { description: "A webhook without its secret." });
export const secretWebhookSchema = z
  .strictObject({
    ...statusFields,
    secret: z.string().openapi({ description: "Signs the deliveries. Never shown again." }),
  })
  .openapi("SecretWebhook");

const urlSchema = z.string().max(MAX_OUTBOUND_URL_LENGTH).openapi({
  description:
    "Where the events are sent by POST. The settings of the store say which schemes, ports and addresses it may have.",
  example: "https://hooks.example.com/images",
});

const typesSchema = z
  .array(
    z.string().transform((text, context) => {
      const type = parseEventType(text);
      if (type !== undefined) return type;
      context.addIssue({ code: "custom", message: `must be ${listChoices(SHORT_EVENT_TYPES)}, not ${quote(text)}` });
      return z.NEVER;
    }),
  )
  .min(1)
  .max(EVENT_TYPES.length)
  .transform((types) => EVENT_TYPES.filter((type) => types.includes(type)))
  .nullable()
  .openapi({
    type: ["array", "null"],
    items: { $ref: "#/components/schemas/EventType" },
    description:
      "Types of events that are sent. Null: all of albums and images. `image.created` stands for `imagestore.image.created`.",
  });

const selectedAlbumsSchema = z
  .union([z.literal("*"), albumsSchema])
  .transform((albums, context) => {
    const selected = canonicalGrant({ rights: [], albums }).albums;
    if (selected !== "*" && Object.keys(selected).length === 0)
      context.addIssue({ code: "custom", message: "must have an id or a name" });
    if (Buffer.byteLength(JSON.stringify(selected)) > MAX_ALBUMS_BYTES)
      context.addIssue({ code: "custom", message: `must have at most ${MAX_ALBUMS_BYTES} bytes as JSON` });
    return selected;
  })
  .openapi({
    description: `Albums whose events are sent, by the names that they had at the time; at most ${MAX_ALBUMS_BYTES} bytes as JSON. Events of the audit trail do not go by albums.`,
  });

const descriptionSchema = cleanTextSchema(MAX_DESCRIPTION_CHARACTERS)
  .nullable()
  .openapi({ description: "For people." });

const secretSchema = z.string().max(100).openapi({
  pattern: "^whsec_[A-Za-z0-9+/]+={0,2}$",
  description:
    "Signs the deliveries: `whsec_` and the Base64 of 24 to 64 random bytes. Without it the store makes one.",
});

export const webhookCreateSchema = z
  .strictObject({
    url: urlSchema,
    types: typesSchema.optional(),
    albums: selectedAlbumsSchema.optional(),
    description: descriptionSchema.optional(),
    secret: secretSchema.optional(),
    from: z
      .string()
      .max(100)
      .transform((text, context) => {
        const position = text === "now" ? null : decodeCursor(text);
        if (position !== undefined) return position;
        context.addIssue({ code: "custom", message: 'must be a cursor or "now"' });
        return z.NEVER;
      })
      .optional()
      .openapi({
        type: "string",
        maxLength: 100,
        description: "A cursor: the events behind it are sent too. Without it, or with `now`, those from now on.",
      }),
  })
  .openapi("WebhookCreate");

export const webhookPatchSchema = z
  .strictObject({
    url: urlSchema.optional(),
    types: typesSchema.optional(),
    albums: selectedAlbumsSchema.optional(),
    description: descriptionSchema.optional(),
    paused: z.boolean().optional(),
    disabled: disabledSchema
      .nullable()
      .refine((value) => value === null, "must be null, which enables the webhook again: only the store disables one")
      .transform(() => null)
      .optional(),
  })
  .openapi("WebhookPatch", { description: "A merge patch (RFC 7396). `types` and `albums` are replaced as a whole." });

export const rotateSchema = z.strictObject({ secret: secretSchema.optional() }).openapi("WebhookSecretRotation");

export const replaySchema = z
  .strictObject({
    from: logPointParameter("A cursor: what follows it is sent again. Or a time (RFC 3339): the events since then."),
    to: logPointParameter(
      "A cursor or a time at which the range ends. It is then sent beside new events. Without it the webhook goes back to `from` and on from there.",
    ).optional(),
  })
  .openapi("WebhookReplayRange");
export const replayedSchema = z
  .strictObject({ from: cursor("Behind this cursor the range begins."), to: cursor("Where the range ends.") })
  .openapi("ReplayedRange");

const deliveryErrorSchema = z
  .strictObject({ code: z.string(), detail: z.string() })
  .openapi("DeliveryError", { description: "Why the attempt failed; null: it did not." });

const outcomeFields = {
  delivered: z.boolean(),
  status: z.int().nullable().openapi({ description: "Status of the response; null: there was none." }),
  error: deliveryErrorSchema.nullable(),
  milliseconds: z.int().min(0).openapi({ description: "How long the attempt took." }),
  response: z.string().openapi({ description: "The beginning of the response's body, at most 1 KiB." }),
};
export const deliveryAttemptSchema = z
  .strictObject({
    id: z.uuid(),
    eventId: z.uuid().openapi({ description: "Sent as `webhook-id`. The same in each attempt." }),
    type: eventTypeSchema,
    cursor: cursor("The position of the event in the log."),
    replay: z.boolean().openapi({ description: "Whether a replay of a range sent it." }),
    attempt: z.int().min(1),
    startedAt: time(),
    ...outcomeFields,
  })
  .openapi("DeliveryAttempt");

export const testResultSchema = z
  .strictObject({ eventId: z.uuid().openapi({ description: "Sent as `webhook-id`." }), ...outcomeFields })
  .openapi("WebhookTestResult");

/** A webhook as answers show it. */
export const toWebhookAnswer = ({ delivery, formerSecretsUntil, ...webhook }: WebhookStatus) => {
  const { position, replay, ...rest } = delivery;
  const isOver = formerSecretsUntil === null || Date.parse(formerSecretsUntil) <= Date.now();
  return {
    ...webhook,
    formerSecretsUntil: isOver ? null : formerSecretsUntil,
    delivery: {
      cursor: encodeCursor(position),
      ...rest,
      replay: replay && { cursor: encodeCursor(replay.position), to: encodeCursor(replay.until) },
    },
  };
};

/** Components that are null in places. */
export const NULLABLE_WEBHOOK_SCHEMAS = {
  WebhookDisabled: disabledSchema,
  WebhookReplay: replayProgressSchema,
  DeliveryError: deliveryErrorSchema,
};
