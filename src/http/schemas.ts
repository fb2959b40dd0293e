import { z } from "@hono/zod-openapi";
import { StoreError } from "../domain/errors.ts";
import { CONTENT_TYPES } from "../domain/image.ts";
import { MAX_NAME_BYTES, parseName } from "../domain/names.ts";
import { ALBUM_ORDERS, DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, type OrderBy } from "../domain/page.ts";
import {
  countCharacters,
  isCleanText,
  MAX_DESCRIPTION_BYTES,
  MAX_METADATA_KEYS,
  MAX_TAG_CHARACTERS,
  MAX_TAGS,
  MAX_TITLE_CHARACTERS,
} from "../domain/text.ts";
import { PROBLEMS } from "./problem.ts";

/** A name in a body or a query, in NFC. A problem with it has the code `invalid_name`. */
export const nameSchema = z
  .string()
  .transform((text, context) => {
    try {
      return parseName(text);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      context.addIssue({ code: "custom", message: error.message, params: { code: error.code } });
      return z.NEVER;
    }
  })
  .openapi({
    type: "string",
    minLength: 1,
    maxLength: MAX_NAME_BYTES,
    description: `Unicode in NFC, at most ${MAX_NAME_BYTES} bytes of UTF-8, without control characters, U+FFFD or "/", not "." or "..".`,
    example: "Summer 2026",
  });

const clean = () =>
  z.string().refine(isCleanText, "must be well-formed Unicode without control characters but tab and newline");

const titleSchema = clean()
  .refine((text) => countCharacters(text) <= MAX_TITLE_CHARACTERS, `at most ${MAX_TITLE_CHARACTERS} characters`)
  .openapi({ maxLength: MAX_TITLE_CHARACTERS });

const descriptionSchema = clean()
  .refine((text) => Buffer.byteLength(text) <= MAX_DESCRIPTION_BYTES, `at most ${MAX_DESCRIPTION_BYTES} bytes of UTF-8`)
  .openapi({ maxLength: MAX_DESCRIPTION_BYTES, description: `At most ${MAX_DESCRIPTION_BYTES} bytes of UTF-8.` });

const metadataBounds = { maxProperties: MAX_METADATA_KEYS, description: "At most 8 KiB as JSON." };
const metadataSchema = z.record(clean(), clean()).openapi(metadataBounds);

const tagsSchema = z
  .array(
    clean()
      .refine((text) => text !== "", "must not be empty")
      .refine((text) => countCharacters(text) <= MAX_TAG_CHARACTERS, `at most ${MAX_TAG_CHARACTERS} characters`)
      .openapi({ minLength: 1, maxLength: MAX_TAG_CHARACTERS }),
  )
  .max(MAX_TAGS)
  .refine((tags) => new Set(tags).size === tags.length, "tags must be unique")
  .openapi({ uniqueItems: true });

/** More than enough for a picture of any size, and short in every event. */
const FOCAL_STEPS = 10_000;
const share = () =>
  z
    .number()
    .min(0)
    .max(1)
    .transform((number) => Math.round(number * FOCAL_STEPS) / FOCAL_STEPS)
    .openapi({ type: "number", minimum: 0, maximum: 1 });
const focalPointSchema = z.strictObject({ x: share(), y: share() }).openapi("FocalPoint", {
  description:
    "Where it matters in the picture, from 0 to 1 of width and height as displayed: what `crop` keeps in view. " +
    "Four decimals are kept.",
  example: { x: 0.5, y: 0.3333 },
});

const albumFields = {
  title: titleSchema.nullable().optional(),
  description: descriptionSchema.nullable().optional(),
  metadata: metadataSchema.optional(),
};
const imageFields = {
  ...albumFields,
  tags: tagsSchema.optional(),
  focalPoint: focalPointSchema.nullable().optional(),
};
const metadataPatch = z.record(clean(), clean().nullable()).openapi(metadataBounds).nullable().optional();

export const newAlbumSchema = z.strictObject({ name: nameSchema, ...albumFields }).openapi("NewAlbum");
export const putAlbumSchema = z.strictObject({ name: nameSchema.optional(), ...albumFields }).openapi("AlbumFields");
export const albumPatchSchema = z
  .strictObject({ name: nameSchema.optional(), ...albumFields, metadata: metadataPatch })
  .openapi("AlbumPatch", { description: "A merge patch (RFC 7396): null removes." });
/** The JSON part `record` of a multipart upload. */
export const imageFieldsSchema = z.strictObject({ name: nameSchema.optional(), ...imageFields }).openapi("ImageFields");
export const imagePatchSchema = z
  .strictObject({
    name: nameSchema.optional(),
    ...imageFields,
    metadata: metadataPatch,
    tags: tagsSchema.nullable().optional(),
  })
  .openapi("ImagePatch", { description: "A merge patch (RFC 7396): null removes." });

const id = z.uuid().openapi({ description: "UUIDv7, for life.", example: "0192e4a0-7c1b-7d3e-9f00-4a5b6c7d8e9f" });
const time = z.iso.datetime({ precision: 3 }).openapi({ example: "2026-07-14T09:30:00.000Z" });
const count = z.int().min(0);
const sha256 = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .openapi({ description: "Of the bytes, in lower-case hex." });

const storedText = {
  title: z.string().nullable(),
  description: z.string().nullable(),
  metadata: z.record(z.string(), z.string()),
};
const version = {
  revision: z.int().min(1).openapi({ description: "Grows with each change." }),
  createdAt: time,
  updatedAt: time,
};

export const albumSchema = z
  .strictObject({ id, name: z.string(), ...storedText, imageCount: count, ...version })
  .openapi("Album");

const exifSchema = z
  .strictObject({
    camera: z.string().optional(),
    lens: z.string().optional(),
    exposureTime: z.number().optional().openapi({ description: "In seconds." }),
    fNumber: z.number().optional(),
    focalLength: z.number().optional().openapi({ description: "In millimetres." }),
    iso: z.number().optional(),
    takenAt: z.string().optional().openapi({
      description: "RFC 3339, without an offset where the camera knew none; in order and filters that counts as UTC.",
      example: "2026-07-14T09:30:00+02:00",
    }),
    artist: z.string().optional(),
    copyright: z.string().optional(),
    location: z
      .strictObject({ latitude: z.number(), longitude: z.number() })
      .optional()
      .openapi({ description: "In degrees, WGS 84. Only where the operator exposes it." }),
  })
  .openapi("Exif", { description: "What the camera said; what it did not say is absent." });

/** Null until the image is described. */
const describedFields = {
  described: z.boolean().openapi({
    description:
      "Whether the store has looked at the pixels, which it does soon after an upload; until then the next five are null.",
  }),
  placeholder: z.string().nullable().openapi({ description: "A ThumbHash, in base64." }),
  dominantColour: z
    .string()
    .regex(/^#[0-9a-f]{6}$/)
    .nullable(),
  exif: exifSchema.nullable(),
  sound: z.boolean().nullable().openapi({ description: "Whether the pixels can be decoded to the end." }),
  unsoundReason: z.string().nullable(),
};

export const imageSchema = z
  .strictObject({
    id,
    name: z.string(),
    album: z.string(),
    albumId: id,
    ...storedText,
    tags: z.array(z.string()),
    focalPoint: focalPointSchema.nullable(),
    contentType: z.enum(Object.values(CONTENT_TYPES)),
    size: count.openapi({ description: "In bytes." }),
    sha256,
    width: z.int().min(1).openapi({ description: "As displayed, in pixels." }),
    height: z.int().min(1).openapi({ description: "As displayed, in pixels." }),
    frames: z.int().min(1),
    hasAlpha: z.boolean(),
    orientation: z.int().min(1).max(8).openapi({ description: "EXIF orientation of the stored bytes." }),
    ...describedFields,
    ...version,
    links: z.strictObject({
      self: z.string().openapi({ description: "By name: changes with a rename." }),
      content: z.string().openapi({ description: "By id and digest: the bytes, to be kept for ever." }),
    }),
  })
  .openapi("Image");

/** An opaque position in the event log. */
export const cursorSchema = z.string().openapi({ description: "An opaque position in the event log." });

export const pageOf = (item: z.ZodType, name: string) =>
  z
    .strictObject({
      items: z.array(item),
      nextPageToken: z.string().optional().openapi({ description: "Absent on the last page." }),
      watermark: cursorSchema.openapi({
        description: "The position in the event log that this listing reflects: follow /v1/events from here.",
      }),
    })
    .openapi(name);

/** A decimal integer in a query. */
export const integerParameter = (minimum: number, maximum: number) =>
  z
    .string()
    .refine(
      (text) => /^\d{1,15}$/.test(text) && Number(text) >= minimum && Number(text) <= maximum,
      `must be an integer from ${minimum} to ${maximum}`,
    )
    .transform(Number)
    .openapi({ type: "integer", minimum, maximum });

/** `true` or `false` in a query. */
export const booleanParameter = () =>
  z
    .enum(["true", "false"])
    .transform((text) => text === "true")
    .openapi({ type: "boolean" });

/** Text in a query that is compared with stored text. */
export const textParameter = () => clean();

export const orderParameter = <By extends OrderBy>(orders: readonly By[]) =>
  z.enum(orders).optional().openapi({ default: "name", description: "`-` for descending." });

/** What every listing takes; spread it into the route's own query. */
export const pageParameters = {
  pageSize: integerParameter(1, MAX_PAGE_SIZE)
    .optional()
    .openapi({ type: "integer", minimum: 1, maximum: MAX_PAGE_SIZE, default: DEFAULT_PAGE_SIZE }),
  pageToken: z.string().optional().openapi({ description: "`nextPageToken` of the page before." }),
  orderBy: orderParameter(ALBUM_ORDERS),
  // Names are compared in NFC, and so are the beginnings of them.
  q: textParameter()
    .transform((text) => text.normalize("NFC"))
    .optional()
    .openapi({ description: "A case-sensitive prefix of the name." }),
};

export const problemSchema = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(Object.keys(PROBLEMS) as [string, ...string[]]),
    requestId: z.string(),
    errors: z
      .array(
        z.strictObject({
          pointer: z.string().optional().openapi({ description: "JSON pointer into the body." }),
          parameter: z.string().optional().openapi({ description: "Name of a query parameter or header." }),
          detail: z.string(),
        }),
      )
      .optional(),
  })
  .openapi("Problem", { description: "RFC 9457. `code` is stable; `detail` is for people." });
