import { z } from "@hono/zod-openapi";
import { SHARE_RIGHTS } from "../domain/share.ts";
import { actorSchema } from "./key-schemas.ts";
import { cleanTextSchema, nameSchema } from "./schemas.ts";

const MAX_LABEL_CHARACTERS = 200;
const time = () => z.iso.datetime({ precision: 3 });
const DESCRIPTIONS = {
  label: "Whom the link is for. Events of what the holder does have it as the name of their `actor`.",
  rights: "`read`: see the album and its images. `write`: also add images. A share never changes or deletes an image.",
  originals:
    "Whether the link gives images as they were uploaded. If not, it gives presets and the listed widths only.",
  expiresAt: "When the link ends. Null: never.",
};
const rightsSchema = z
  .array(z.enum(SHARE_RIGHTS))
  .refine((rights) => rights.includes("read"), 'must have "read"')
  .refine((rights) => new Set(rights).size === rights.length, "must not name a right twice")
  .transform((rights) => SHARE_RIGHTS.filter((right) => rights.includes(right)))
  // Not `uniqueItems`: the native Java library takes a set of enums for one of strings.
  .openapi({ minItems: 1, description: DESCRIPTIONS.rights });

export const shareWishSchema = z
  .strictObject({
    label: cleanTextSchema(MAX_LABEL_CHARACTERS).nullable().default(null).openapi({ description: DESCRIPTIONS.label }),
    rights: rightsSchema.default(["read"]),
    originals: z.boolean().default(false).openapi({ description: DESCRIPTIONS.originals }),
    expiresAt: z.iso.datetime({ offset: true }).nullable().optional().openapi({
      description: "When the link ends; by default in 30 days. Null: never.",
      example: "2026-08-14T09:30:00.000Z",
    }),
  })
  .openapi("ShareCreate");

const shareFields = {
  id: z.string().openapi({ description: "Id of the share. Events of changes by its holders have it in `actor`." }),
  albumId: z.uuid(),
  label: z.string().nullable().openapi({ description: DESCRIPTIONS.label }),
  rights: z.array(z.enum(SHARE_RIGHTS)).openapi({ description: DESCRIPTIONS.rights }),
  originals: z.boolean().openapi({ description: DESCRIPTIONS.originals }),
  createdAt: time(),
  createdBy: actorSchema,
  expiresAt: time().nullable().openapi({ description: DESCRIPTIONS.expiresAt }),
  uses: z
    .int()
    .min(0)
    .openapi({ description: "Number of requests that carried the secret. Written every ten seconds." }),
  lastUsedAt: time().nullable(),
};
/** As events have it. */
export const loggedShareSchema = z.strictObject(shareFields);
const fieldsWithAlbum = {
  ...shareFields,
  album: nameSchema.openapi({
    description: "Name of the album now. The share stays with the album when that is renamed.",
  }),
};
export const shareSchema = z.strictObject(fieldsWithAlbum).openapi("Share");
export const newShareSchema = z
  .strictObject({
    ...fieldsWithAlbum,
    url: z.string().openapi({
      description: "The link, which contains the secret. Absolute if the store has a public URL, otherwise a path.",
    }),
    secret: z.string().openapi({ description: "For `Authorization: Bearer`. The store shows it only now." }),
  })
  .openapi("CreatedShare");

export const openedShareSchema = z
  .strictObject({
    album: nameSchema.openapi({ description: "Name of the album." }),
    title: z.string().nullable().openapi({ description: "Title of the album." }),
    label: shareFields.label,
    rights: shareFields.rights,
    originals: shareFields.originals,
    expiresAt: shareFields.expiresAt,
  })
  .openapi("OpenedShare");
