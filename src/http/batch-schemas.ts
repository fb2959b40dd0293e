import { z } from "@hono/zod-openapi";
import { MAX_BATCH_OPERATIONS } from "../domain/batch.ts";
import type { Preconditions, RecordVersion } from "../domain/change.ts";
import { StoreError } from "../domain/errors.ts";
import { tagPreconditions } from "./conditional.ts";
import { imageMoveSchema } from "./routes/image-moves.ts";
import {
  albumPatchSchema,
  albumSchema,
  imageNameSchema,
  imagePatchSchema,
  imageSchema,
  nameSchema,
  newAlbumSchema,
  problemSchema,
  putAlbumSchema,
} from "./schemas.ts";

const album = nameSchema.openapi({ description: "Name of the album." });
const image = imageNameSchema.openapi({ description: "Name of the image." });
const ifMatch = z
  .string()
  .max(8192)
  .regex(/^[\t\x20-\x7e]*$/)
  .transform((field, context): Preconditions<RecordVersion> | undefined => {
    try {
      return tagPreconditions(new Headers({ "If-Match": field }));
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      context.addIssue({ code: "custom", message: 'must be "*" or a list of quoted entity tags' });
      return z.NEVER;
    }
  })
  .optional()
  .openapi({ type: "string", description: "ETags of the record, as in the header `If-Match`.", example: "*" });

const createAlbum = z.strictObject({ type: z.literal("createAlbum"), body: newAlbumSchema }).openapi("CreateAlbumItem");
const putAlbum = z
  .strictObject({ type: z.literal("putAlbum"), album, body: putAlbumSchema.optional(), ifMatch })
  .openapi("PutAlbumItem");
const updateAlbum = z
  .strictObject({ type: z.literal("updateAlbum"), album, body: albumPatchSchema, ifMatch })
  .openapi("UpdateAlbumItem");
const deleteAlbum = z
  .strictObject({
    type: z.literal("deleteAlbum"),
    album,
    // Without a default in openapi.json, for which openapi-typescript makes a member required.
    recursive: z.boolean().optional().openapi({ description: "Delete its images too. Default: `false`." }),
    ifMatch,
  })
  .openapi("DeleteAlbumItem");
const updateImage = z
  .strictObject({ type: z.literal("updateImage"), album, image, body: imagePatchSchema, ifMatch })
  .openapi("UpdateImageItem");
const deleteImage = z
  .strictObject({ type: z.literal("deleteImage"), album, image, ifMatch })
  .openapi("DeleteImageItem");
const moveImage = z
  .strictObject({ type: z.literal("moveImage"), album, image, body: imageMoveSchema, ifMatch })
  .openapi("MoveImageItem");
const describeImage = z
  .strictObject({
    type: z.literal("describeImage"),
    id: z.string().max(100).openapi({ description: "Id of the image." }),
  })
  .openapi("DescribeImageItem");

const operationSchema = z
  .discriminatedUnion("type", [
    createAlbum,
    putAlbum,
    updateAlbum,
    deleteAlbum,
    updateImage,
    deleteImage,
    moveImage,
    describeImage,
  ])
  .openapi("BatchOperation", {
    description:
      "`type` is the `operationId` of another operation. The other members are the path and query parameters of that operation, its body, " +
      "and the header `If-Match` as `ifMatch`.",
  });
export type BatchItem = z.output<typeof operationSchema>;

export const batchSchema = z
  .strictObject({
    atomic: z.boolean().optional().openapi({
      description:
        "`true` (default): all operations succeed, or none is done. `false`: each succeeds or fails by itself.",
    }),
    operations: z.array(operationSchema).min(1).max(MAX_BATCH_OPERATIONS),
  })
  .openapi("BatchRequest");

export const batchResultSchema = z
  .strictObject({
    items: z.array(
      z
        .strictObject({
          status: z.int().openapi({ description: "The status that a request of its own would get." }),
          etag: z.string().optional().openapi({ description: "ETag of the record after the operation." }),
          album: albumSchema.optional(),
          image: imageSchema.optional(),
          error: problemSchema.optional(),
        })
        .openapi("BatchOutcome", {
          description: "The record after the operation, if a request of its own returns one, or the error.",
        }),
    ),
  })
  .openapi("BatchResult");
