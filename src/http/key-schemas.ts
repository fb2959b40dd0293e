import { z } from "@hono/zod-openapi";
import { RIGHTS } from "../domain/access.ts";
import {
  canonicalGrant,
  isTooLong,
  KEY_NAME,
  MAX_GRANTS,
  MAX_GRANTS_BYTES,
  MAX_IDS,
  MAX_NAMES,
  parsePattern,
} from "../domain/grant.ts";
import { MAX_NAME_BYTES } from "../domain/names.ts";
import { parsedBy } from "./schemas.ts";

export const actorSchema = z
  .strictObject({
    kind: z.string().openapi({
      description:
        "`key`: a client with an API key. `token`: a client with a JWT. `local`: a client of a store without keys, or its command line. `store`: the " +
        "store itself. There may be more kinds in later versions.",
    }),
    id: z.string().nullable().openapi({ description: "Unique within the kind. Null for `local` and `store`." }),
    name: z.string().nullable().openapi({
      description:
        "Name for display: that of the key, the subject of the token, or the label of the share. Null for `local` and `store`.",
    }),
    base: z
      .strictObject({ kind: z.string(), id: z.string().nullable() })
      .optional()
      .openapi({ description: "Of a `session`: the key, token or share that it was made with." }),
  })
  .openapi("Actor", {
    description: "Who made the change. Absent from events that were written before this field existed.",
  });

const time = () => z.iso.datetime({ precision: 3 }).openapi({ example: "2026-07-14T09:30:00.000Z" });
export const keyIdSchema = z.string().openapi({ minLength: 1, maxLength: 64, example: "6zqkP0aYH3cVbN1w" });

const patternSchema = z
  .string()
  .transform(parsedBy(parsePattern))
  .openapi({
    type: "string",
    minLength: 1,
    maxLength: MAX_NAME_BYTES + 1,
    description: "Name of an album, or with `*` at its end the beginning of names.",
    example: "client-*",
  });

export const albumsSchema = z
  .strictObject({
    ids: z.array(z.uuid()).max(MAX_IDS).optional().openapi({ description: "Ids of albums. A rename changes nothing." }),
    names: z
      .array(patternSchema)
      .max(MAX_NAMES)
      .optional()
      .openapi({ description: "Albums that have one of these names at the time of a request." }),
  })
  .openapi("GrantedAlbums");

export const grantSchema = z
  .strictObject({
    rights: z.array(z.enum(RIGHTS)).min(1),
    albums: z.union([z.literal("*"), albumsSchema]).openapi({ description: "`*`: all albums, including future ones." }),
  })
  .openapi("Grant", { description: "Rights on albums. `admin` is a right on the store, so it needs `*`." });

/** A list of grants in a body: not empty, within the bounds of a key, each right and album once. */
const grantsSchema = z
  .array(grantSchema)
  .min(1)
  .max(MAX_GRANTS)
  .transform((grants, context) => {
    grants.forEach(({ rights, albums }, index) => {
      const refuse = (message: string) => context.addIssue({ code: "custom", message, path: [index] });
      if (albums === "*") return;
      if (rights.includes("admin")) refuse('The right "admin" needs albums: "*".');
      if ((albums.ids?.length ?? 0) + (albums.names?.length ?? 0) === 0) refuse("albums must have an id or a name.");
    });
    const count = (member: "ids" | "names") =>
      grants.reduce((sum, { albums }) => sum + (albums === "*" ? 0 : (albums[member]?.length ?? 0)), 0);
    if (count("ids") > MAX_IDS)
      context.addIssue({ code: "custom", message: `must have at most ${MAX_IDS} ids in all` });
    if (count("names") > MAX_NAMES)
      context.addIssue({ code: "custom", message: `must have at most ${MAX_NAMES} names in all` });
    const canonical = grants.map(canonicalGrant);
    if (isTooLong(canonical))
      context.addIssue({ code: "custom", message: `must have at most ${MAX_GRANTS_BYTES} bytes as JSON` });
    return canonical;
  })
  .openapi({
    type: "array",
    items: { $ref: "#/components/schemas/Grant" },
    minItems: 1,
    maxItems: MAX_GRANTS,
    description: `At most ${MAX_GRANTS}, with at most ${MAX_IDS} ids and ${MAX_NAMES} names in all, and ${MAX_GRANTS_BYTES} bytes as JSON.`,
  });

const nameSchema = z.string().regex(KEY_NAME).openapi({
  description: "For people: it is in the log and in events. Several keys may have one name.",
  example: "web",
});

/** Milliseconds since 1970. */
const expirySchema = z.iso
  .datetime({ offset: true })
  .transform((text) => Date.parse(text))
  .refine((at) => at > Date.now(), "must be in the future")
  .nullable()
  .openapi({
    type: ["string", "null"],
    format: "date-time",
    description: "null: the key does not expire.",
    example: "2099-01-01T00:00:00.000Z",
  });

const limit = (what: string) =>
  z
    .int()
    .min(0)
    .nullable()
    .openapi({ description: `Most ${what}; null: no limit.` });
const limits = { maxBytes: limit("bytes of originals"), maxImages: limit("images") };

/** Absent and null mean the same, so a client may send a quota that it has read. */
export const quotaLimitsSchema = z
  .strictObject({ maxBytes: limits.maxBytes.optional(), maxImages: limits.maxImages.optional() })
  .refine(
    ({ maxBytes = null, maxImages = null }) => maxBytes !== null || maxImages !== null,
    "must set maxBytes, maxImages or both; DELETE removes a quota",
  )
  .openapi("QuotaLimits");

export const quotaSchema = z
  .strictObject({
    scope: z.string().openapi({ description: "`store`, `albums/<id>` or `keys/<id>`." }),
    ...limits,
    used: z
      .strictObject({ images: z.int().min(0), bytes: z.int().min(0) })
      .openapi("Usage", { description: "May be more than the limit, if the quota was set later." }),
  })
  .openapi("Quota");

export const namedQuotaSchema = z
  .strictObject({
    ...quotaSchema.shape,
    name: z.string().nullable().openapi({ description: "Of the album or the API key; null for the store." }),
  })
  .openapi("NamedQuota");

export const newKeySchema = z
  .strictObject({
    name: nameSchema,
    grants: grantsSchema,
    expiresAt: expirySchema.optional(),
    quota: quotaLimitsSchema.optional(),
  })
  .openapi("KeyCreate");

export const keyPatchSchema = z
  .strictObject({ name: nameSchema.optional(), grants: grantsSchema.optional(), expiresAt: expirySchema.optional() })
  .openapi("KeyPatch", { description: "A merge patch (RFC 7396). `grants` are replaced as a whole." });

const keyFields = {
  id: keyIdSchema,
  name: z.string(),
  grants: z.array(grantSchema),
  revision: z.int().min(1),
  createdAt: time(),
  createdBy: actorSchema,
  expiresAt: time().nullable(),
  lastUsedAt: time().nullable().openapi({ description: "To the hour. Null for a key of the configuration." }),
  revokedAt: time().nullable(),
};

/** As events show it. */
export const storedKeySchema = z.strictObject(keyFields);

const listedFields = {
  ...keyFields,
  createdAt: time().nullable().openapi({ description: "Null for a key of the configuration." }),
  createdBy: actorSchema.nullable().openapi({ description: "Null for a key of the configuration." }),
  editable: z.boolean().openapi({ description: "`false` for a key of the configuration." }),
};
export const keySchema = z.strictObject(listedFields).openapi("Key", { description: "An API key without its secret." });
export const createdKeySchema = z
  .strictObject({ ...listedFields, secret: z.string().openapi({ description: "Never shown again." }) })
  .openapi("CreatedKey");
