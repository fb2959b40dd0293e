import { StoreError } from "../domain/errors.ts";
import { EMPTY_IMAGE_FIELDS, type ImageFields } from "../domain/image.ts";
import { parseName } from "../domain/names.ts";
import type { IncomingImage } from "../operations/upload.ts";
import { parseParameters } from "./disposition.ts";
import { parseJson } from "./json-body.ts";
import { parseDeclaredType } from "./media-type.ts";
import { malformed, type Part, readParts } from "./multipart.ts";
import { imageFieldsSchema } from "./schemas.ts";
import { validate } from "./validation.ts";

type ImageRecord = { readonly name?: string | undefined } & {
  readonly [Field in keyof ImageFields]?: ImageFields[Field] | undefined;
};

/** All of an item's text is at most 16 KiB; escapes may make its JSON larger. */
const MAX_RECORD_BYTES = 64 * 1024;
// RFC 2046, 5.1.1.
const BOUNDARY = /^[\w'()+,./:=? -]{0,69}[\w'()+,./:=?-]$/;

/** @throws StoreError `invalid_request` */
export function parseBoundary(contentType: string): string {
  const boundary = parseParameters(contentType)?.get("boundary");
  if (boundary === undefined || !BOUNDARY.test(boundary)) throw malformed("its Content-Type has no valid boundary");
  return boundary;
}

/**
 * The images of a form: each file is one, under its file name, with the fields of the part `record` right before it.
 * @throws StoreError `invalid_request`, `invalid_name`, `too_large` for a record, `unsupported_image`,
 * `unsupported_media_type`, `empty_body` for a form without files, and what `body` throws
 */
export async function* readImageForm(body: AsyncIterable<Uint8Array>, boundary: string): AsyncGenerator<IncomingImage> {
  let record: ImageRecord | undefined;
  let files = 0;
  for await (const part of readParts(body, boundary)) {
    if (part.name === "record") {
      if (record !== undefined) throw malformed("a record is followed by another and not by its file");
      record = await readRecord(part);
    } else if (part.fileName === undefined) {
      throw malformed("a part is neither a file nor a record");
    } else {
      files++;
      yield {
        name: record?.name ?? parseName(part.fileName),
        ...(record === undefined ? {} : { fields: fieldsOf(record) }),
        declaredType: parseDeclaredType(part.contentType),
        bytes: part.bytes,
      };
      record = undefined;
    }
  }
  if (record !== undefined) throw malformed("a record is not followed by its file");
  if (files === 0) throw new StoreError("empty_body", "The form has no file.");
}

async function readRecord(part: Part): Promise<ImageRecord> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of part.bytes) {
    size += chunk.length;
    if (size > MAX_RECORD_BYTES) throw new StoreError("too_large", `A record is at most ${MAX_RECORD_BYTES} bytes.`);
    chunks.push(chunk);
  }
  return validate(imageFieldsSchema, parseJson(Buffer.concat(chunks)), "pointer") as ImageRecord;
}

const fieldsOf = (record: ImageRecord): ImageFields => ({
  title: record.title ?? EMPTY_IMAGE_FIELDS.title,
  description: record.description ?? EMPTY_IMAGE_FIELDS.description,
  metadata: record.metadata ?? EMPTY_IMAGE_FIELDS.metadata,
  tags: record.tags ?? EMPTY_IMAGE_FIELDS.tags,
  focalPoint: record.focalPoint ?? EMPTY_IMAGE_FIELDS.focalPoint,
});
