import { StoreError } from "../domain/errors.ts";
import { EMPTY_IMAGE_FIELDS, type ImageFields } from "../domain/image.ts";
import { parseName } from "../domain/names.ts";
import type { IncomingImage, StagedImage } from "../operations/stage-images.ts";
import { parseParameters } from "./disposition.ts";
import { parseJson } from "./json-body.ts";
import { parseDeclaredType } from "./media-type.ts";
import { malformed, type Part, readParts } from "./multipart.ts";
import { imageFieldsSchema } from "./schemas.ts";
import { validate } from "./validation.ts";

type ImageRecord = { name?: string } & {
  [Field in keyof ImageFields]?: ImageFields[Field];
};

/** All of an item's text is at most 26 KiB; escapes may make its JSON larger. */
const MAX_TEXT_BYTES = 64 * 1024;
// RFC 2046, 5.1.1.
const BOUNDARY = /^[\w'()+,./:=? -]{0,69}[\w'()+,./:=?-]$/;

/** @throws StoreError `invalid_request` */
export function parseBoundary(contentType: string): string {
  const boundary = parseParameters(contentType)?.get("boundary");
  if (boundary === undefined || !BOUNDARY.test(boundary)) throw malformed("its Content-Type has no valid boundary");
  return boundary;
}

/** What a form has, read once: its images, and what its text says of them. */
export interface ImageForm {
  readonly images: AsyncIterable<IncomingImage>;
  /**
   * The images as all of the form describes them, once all of it was read.
   * @throws StoreError `invalid_request` where it gives several one name
   */
  complete(staged: readonly StagedImage[]): readonly StagedImage[];
}

/**
 * Each file of a form is an image, under its file name. A part `record` describes the file right after it; text fields with
 * the names of a record's describe every file, wherever in the form they stand, but for what its record says. Any other
 * text is ignored, since forms and the libraries of pages send fields of their own.
 *
 * The images throw StoreError `invalid_request`, `invalid_name`, `too_large` for text, `empty_body` for a form without
 * files, and what `body` throws. What is wrong with one file is its `refusal`.
 */
export function readImageForm(body: AsyncIterable<Uint8Array>, boundary: string): ImageForm {
  const text: ImageRecord = {};
  const records = new Map<number, ImageRecord>();
  let files = 0;

  async function* images(): AsyncGenerator<IncomingImage> {
    let record: ImageRecord | StoreError | undefined;
    let index = 0;
    for await (const part of readParts(body, boundary)) {
      const place = index++;
      if (part.name === "record") {
        if (record !== undefined) throw malformed("a record is followed by another and not by its file");
        const bytes = await readText(part);
        record = attempt(() => validate(imageFieldsSchema, parseJson(bytes), "pointer") as ImageRecord);
      } else if (part.fileName === undefined) {
        await readField(text, part);
      } else if (part.fileName !== "" || (await hasBytes(part))) {
        if (record !== undefined && !(record instanceof StoreError)) records.set(place, record);
        yield imageOf(part, part.fileName, place, record, text.name ?? (files === 0 ? null : undefined));
        files++;
        record = undefined;
      }
    }
    if (record !== undefined) throw malformed("a record is not followed by its file");
    if (files === 0) throw new StoreError("empty_body", "The form has no files.");
  }

  return {
    images: images(),
    complete(staged) {
      const { name, ...described } = text;
      if (name !== undefined && files > 1) {
        throw new StoreError("invalid_request", "The form has one name field and several files.", {
          errors: [{ pointer: "/name", detail: "can name one file only; send a part `record` before each file" }],
        });
      }
      return staged.map((image) => {
        const record = records.get(image.part ?? -1);
        const all = { ...described, ...record };
        const named = { ...image, name: record?.name ?? name ?? image.name };
        return Object.keys(all).length === 0 && record === undefined ? named : { ...named, fields: fieldsOf(all) };
      });
    },
  };
}

/** `name` from a text field: null where one may still come. */
function imageOf(
  part: Part,
  fileName: string,
  place: number,
  record: ImageRecord | StoreError | undefined,
  name: string | null | undefined,
): IncomingImage {
  const described = record instanceof StoreError ? undefined : record;
  const given = described?.name ?? name ?? undefined;
  const refusal = record instanceof StoreError ? record : undefined;
  const parsedName = attempt(() => given ?? parseName(fileName));
  const declaredType = attempt(() => parseDeclaredType(part.contentType));
  const refusals = [refusal, parsedName, declaredType].filter((one) => one instanceof StoreError);
  return {
    name: parsedName instanceof StoreError ? fileName : parsedName,
    mayBeRenamed: given === undefined && name === null,
    ...(described === undefined ? {} : { fields: fieldsOf(described) }),
    declaredType: declaredType instanceof StoreError ? undefined : declaredType,
    bytes: part.bytes,
    part: place,
    ...(refusals[0] === undefined ? {} : { refusal: refusals[0] }),
  };
}

/** What is wrong with one file, instead of a rejection. */
function attempt<Value>(work: () => Value): Value | StoreError {
  try {
    return work();
  } catch (error) {
    if (error instanceof StoreError && REFUSING.has(error.code)) return error;
    throw error;
  }
}

const REFUSING: ReadonlySet<string> = new Set([
  "invalid_name",
  "invalid_request",
  "unsupported_image",
  "unsupported_media_type",
]);

/** A page's form sends a file without a name and without bytes where none was chosen. */
async function hasBytes(part: Part): Promise<boolean> {
  for await (const _ of part.bytes) return true;
  return false;
}

/** Takes a text field over into what is known, where it is one that records have and says something. */
async function readField(known: ImageRecord, part: Part): Promise<void> {
  const read = Object.hasOwn(FIELDS, part.name) ? FIELDS[part.name as keyof typeof FIELDS] : undefined;
  if (read === undefined) return;
  const value = read(utf8(await readText(part)));
  if (value === undefined) return;
  const { tags: before = [] } = known;
  const { tags, ...field } = validate(imageFieldsSchema, { [part.name]: value }, "pointer") as ImageRecord;
  const [key] = Object.keys(field);
  if (key !== undefined && Object.hasOwn(known, key)) throw malformed(`it has two fields ${JSON.stringify(key)}`);
  Object.assign(known, field, tags === undefined ? {} : { tags: [...new Set([...before, ...tags])] });
}

const filled = (text: string): string | undefined => (text === "" ? undefined : text);
const parsed = (text: string): unknown => (text === "" ? undefined : parseJson(Buffer.from(text)));

/** How the text of each field is read. What a form has no text for is as absent. Tags may also come as several fields. */
const FIELDS = {
  name: filled,
  title: filled,
  // A page's form ends lines with CR LF.
  description: (text: string) => filled(text.replaceAll("\r\n", "\n")),
  tags: (text: string) => {
    const tags = [...new Set(text.split(",").map((tag) => tag.trim()))].filter((tag) => tag !== "");
    return tags.length === 0 ? undefined : tags;
  },
  metadata: parsed,
  focalPoint: parsed,
};

function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw malformed("a field is not valid UTF-8");
  }
}

async function readText(part: Part): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of part.bytes) {
    size += chunk.length;
    if (size > MAX_TEXT_BYTES) {
      throw new StoreError("too_large", `A record, or a field of text, is at most ${MAX_TEXT_BYTES} bytes.`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** What is absent is empty. */
export const fieldsOf = (
  record: { [Field in keyof ImageFields]?: ImageFields[Field] | null | undefined },
): ImageFields => ({
  title: record.title ?? EMPTY_IMAGE_FIELDS.title,
  description: record.description ?? EMPTY_IMAGE_FIELDS.description,
  metadata: record.metadata ?? EMPTY_IMAGE_FIELDS.metadata,
  tags: record.tags ?? EMPTY_IMAGE_FIELDS.tags,
  focalPoint: record.focalPoint ?? EMPTY_IMAGE_FIELDS.focalPoint,
});
