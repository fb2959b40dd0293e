import { z } from "@hono/zod-openapi";
import { VISIBILITIES } from "../domain/album.ts";
import { StoreError } from "../domain/errors.ts";
import { CONTENT_TYPES } from "../domain/formats.ts";
import { MAX_NAME_BYTES, parseName } from "../domain/names.ts";
import {
  beginsWithMark,
  countCharacters,
  isCleanText,
  isVisible,
  MAX_DESCRIPTION_BYTES,
  MAX_METADATA_KEYS,
  MAX_TAG_CHARACTERS,
  MAX_TAGS,
  MAX_TITLE_CHARACTERS,
} from "../domain/text.ts";
import { PROBLEMS } from "./problem.ts";

/**
 * What the patterns of openapi.json can say of a text. They keep to what the regular expressions of all languages have in
 * common, so what is left for the description is that no name is "." or "..", or can't be seen.
 */
const NOT_IN_NAMES = "/\\u0000-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ufffd";
const NAME_PATTERN = `^[^${NOT_IN_NAMES}\\ufeff][^${NOT_IN_NAMES}]*$`;
const CLEAN_PATTERN = "^[^\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f]*$";

/** A transformation by a function of the domain. A StoreError that it throws becomes a problem with its code. */
export const parsedBy =
  <Value>(parse: (text: string) => Value) =>
  (text: string, context: z.RefinementCtx): Value => {
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      context.addIssue({ code: "custom", message: error.message, params: { code: error.code } });
      return z.NEVER;
    }
  };

/** A name in a body or a query, in NFC. A problem with it has the code `invalid_name`. */
export const nameSchema = z
  .string()
  .transform(parsedBy(parseName))
  .openapi({
    type: "string",
    minLength: 1,
    maxLength: MAX_NAME_BYTES,
    pattern: NAME_PATTERN,
    description: `Unicode in NFC, at most ${MAX_NAME_BYTES} bytes of UTF-8, with a visible character, without control characters, U+FFFD or "/", not "." or "..".`,
    example: "Summer 2026",
  });

export const imageNameSchema = nameSchema.openapi({ example: "lake.jpg" });

/** Text that may be stored. */
export const cleanText = () =>
  z
    .string()
    .refine(isCleanText, "must be well-formed Unicode without control characters but tab and newline")
    .openapi({ pattern: CLEAN_PATTERN });

export const cleanTextSchema = (maxCharacters: number) =>
  cleanText()
    .refine((text) => countCharacters(text) <= maxCharacters, `must have at most ${maxCharacters} characters`)
    .openapi({ maxLength: maxCharacters });
const titleSchema = cleanTextSchema(MAX_TITLE_CHARACTERS);

const descriptionSchema = cleanText()
  .refine(
    (text) => Buffer.byteLength(text) <= MAX_DESCRIPTION_BYTES,
    `must have at most ${MAX_DESCRIPTION_BYTES} bytes of UTF-8`,
  )
  .openapi({ maxLength: MAX_DESCRIPTION_BYTES, description: `At most ${MAX_DESCRIPTION_BYTES} bytes of UTF-8.` });

const metadataBounds = {
  maxProperties: MAX_METADATA_KEYS,
  description: "At most 8 KiB as JSON.",
  example: { camera: "X100" },
};
const metadataSchema = z.record(cleanText(), cleanText()).openapi(metadataBounds);

export const tagBounds = { minLength: 1, maxLength: MAX_TAG_CHARACTERS };
const tagsSchema = z
  .array(
    cleanText()
      .refine(
        (text) => isVisible(text) && !beginsWithMark(text),
        "must have a visible character, and not begin with U+FEFF",
      )
      .refine(
        (text) => countCharacters(text) <= MAX_TAG_CHARACTERS,
        `must have at most ${MAX_TAG_CHARACTERS} characters`,
      )
      .openapi(tagBounds),
  )
  .max(MAX_TAGS)
  .refine((tags) => new Set(tags).size === tags.length, "must not name a tag twice")
  .openapi({ uniqueItems: true, description: "At most 8 KiB as JSON." });

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
    "The point that matters most, from 0 to 1 of the displayed width and height. `crop` keeps it in view. " +
    "Four decimals are kept.",
  example: { x: 0.5, y: 0.3333 },
});

const textFields = {
  title: titleSchema.nullable().optional(),
  description: descriptionSchema.nullable().optional(),
  metadata: metadataSchema.optional(),
};
const visibilitySchema = z.enum(VISIBILITIES).openapi("AlbumVisibility", {
  description: "`public`: every client may read the album and its images, even without a key.",
});
const albumFields = { ...textFields, visibility: visibilitySchema.optional() };
const imageFields = {
  ...textFields,
  tags: tagsSchema.optional(),
  focalPoint: focalPointSchema.nullable().optional(),
};
const metadataPatch = z.record(cleanText(), cleanText().nullable()).openapi(metadataBounds).nullable().optional();

export const newAlbumSchema = z.strictObject({ name: nameSchema, ...albumFields }).openapi("AlbumCreate");
export const putAlbumSchema = z.strictObject({ name: nameSchema.optional(), ...albumFields }).openapi("AlbumFields");
export const albumPatchSchema = z
  .strictObject({ name: nameSchema.optional(), ...albumFields, metadata: metadataPatch })
  .openapi("AlbumPatch", { description: "A merge patch (RFC 7396): null removes a field." });
/** The JSON part `record` of a multipart upload. */
export const imageFieldsSchema = z
  .strictObject({ name: imageNameSchema.optional(), ...imageFields })
  .openapi("ImageFields", {
    description: "In a form, the record of the file that follows it.",
    example: { title: "The lake at dawn", tags: ["lake", "dawn"] },
  });
export const imagePatchSchema = z
  .strictObject({
    name: imageNameSchema.optional(),
    ...imageFields,
    metadata: metadataPatch,
    tags: tagsSchema.nullable().optional(),
  })
  .openapi("ImagePatch", { description: "A merge patch (RFC 7396): null removes a field." });

/** As records have it; in a path any text is taken, and what is none of theirs is not found. */
export const imageIdSchema = z.uuid().openapi({ description: "Id of the image." });
const id = z
  .uuid()
  .openapi({ description: "UUIDv7. It never changes.", example: "0192e4a0-7c1b-7d3e-9f00-4a5b6c7d8e9f" });
const time = z.iso.datetime({ precision: 3 }).openapi({ example: "2026-07-14T09:30:00.000Z" });
const count = z.int().min(0);
export const sha256Schema = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .openapi({ description: "SHA-256 of the bytes, in lower-case hex." });

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
  .strictObject({
    id,
    name: z.string(),
    ...storedText,
    visibility: visibilitySchema,
    imageCount: count,
    byteCount: count.openapi({ description: "Size of all originals together, in bytes." }),
    ...version,
  })
  .openapi("Album");
/** Events of earlier versions lack some fields. */
export const loggedAlbumShape = {
  ...albumSchema.shape,
  visibility: albumSchema.shape.visibility.optional(),
  byteCount: albumSchema.shape.byteCount.optional(),
};

const locationSchema = z
  .strictObject({ latitude: z.number(), longitude: z.number() })
  .openapi("ExifLocation", { description: "WGS 84, in degrees. Present only if the operator exposes locations." });
const exifSchema = z
  .strictObject({
    camera: z.string().optional(),
    lens: z.string().optional(),
    exposureTime: z.number().optional().openapi({ description: "In seconds." }),
    fNumber: z.number().optional(),
    focalLength: z.number().optional().openapi({ description: "In millimetres." }),
    iso: z.number().optional(),
    takenAt: z.string().optional().openapi({
      description: "RFC 3339. Without an offset if the camera recorded none; sorting and filters then take it as UTC.",
      example: "2026-07-14T09:30:00+02:00",
    }),
    artist: z.string().optional(),
    copyright: z.string().optional(),
    location: locationSchema.optional(),
  })
  .openapi("Exif", { description: "What the camera recorded. Absent fields were not recorded." });

/** Components that are null in places. */
export const NULLABLE_SCHEMAS = { FocalPoint: focalPointSchema, Exif: exifSchema };

/** Null until the image is described. */
const describedFields = {
  described: z.boolean().openapi({
    description:
      "Whether the store has described the pixels, which it does soon after an upload. Until then the next five fields are null.",
  }),
  placeholder: z.string().nullable().openapi({ description: "A ThumbHash, in base64." }),
  dominantColour: z
    .string()
    .regex(/^#[0-9a-f]{6}$/)
    .nullable(),
  exif: exifSchema.nullable(),
  decodable: z.boolean().nullable().openapi({ description: "Whether the pixels can be decoded to the end." }),
  decodeError: z.string().nullable(),
};

export const imageTypeSchema = z.enum(Object.values(CONTENT_TYPES)).openapi("ImageType");

export const imageSchema = z
  .strictObject({
    id,
    name: z.string(),
    album: z.string(),
    albumId: id,
    ...storedText,
    tags: z.array(z.string()),
    focalPoint: focalPointSchema.nullable(),
    contentType: imageTypeSchema,
    size: count.openapi({ description: "Size in bytes." }),
    sha256: sha256Schema,
    width: z.int().min(1).openapi({ description: "In pixels, as displayed." }),
    height: z.int().min(1).openapi({ description: "In pixels, as displayed." }),
    frames: z.int().min(1),
    hasAlpha: z.boolean(),
    orientation: z.int().min(1).max(8).openapi({ description: "EXIF orientation of the stored bytes." }),
    ...describedFields,
    ...version,
    links: z
      .strictObject({
        self: z.string().openapi({ description: "Path by name. A rename changes it." }),
        content: z.string().openapi({ description: "Path of the bytes by id and digest. They may be cached forever." }),
      })
      .openapi("ImageLinks"),
  })
  .openapi("Image");

/** As {@link loggedAlbumShape}. */
export const loggedImageShape = {
  ...imageSchema.shape,
  ...imageSchema.pick({ focalPoint: true }).extend(describedFields).partial().shape,
};

export const errorCodeSchema = z.enum(Object.keys(PROBLEMS) as [string, ...string[]]).openapi("ErrorCode");

export const problemSchema = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: errorCodeSchema,
    requestId: z.string(),
    errors: z
      .array(
        z
          .strictObject({
            pointer: z.string().optional().openapi({ description: "JSON pointer into the body." }),
            parameter: z.string().optional().openapi({ description: "Name of a query parameter or header." }),
            part: z
              .int()
              .min(0)
              .optional()
              .openapi({ description: "Of a refused file: its position among the parts of the form, from 0." }),
            name: z.string().optional().openapi({ description: "Of a refused file: the name of its image." }),
            code: errorCodeSchema.optional(),
            detail: z.string(),
          })
          .openapi("FieldError"),
      )
      .optional(),
  })
  .openapi("Problem", { description: "RFC 9457. `code` is stable; `detail` is for people." });
