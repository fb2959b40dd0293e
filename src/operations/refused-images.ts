import type { PutImage } from "../domain/change.ts";
import { type ErrorCode, StoreError } from "../domain/errors.ts";

/** An image of a form that is not stored, and why. */
export interface RefusedImage {
  readonly name: string;
  /** Its position among the parts of the form, from 0. */
  readonly part?: number;
  readonly error: StoreError;
}

/** Codes that concern one image of a form and say nothing of the others. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "empty_body",
  "image_exists",
  "image_too_large",
  "invalid_image",
  "invalid_name",
  "invalid_request",
  "precondition_failed",
  "too_large",
  "unsupported_image",
  "unsupported_media_type",
]);

export const isRefusal = (error: unknown): error is StoreError =>
  error instanceof StoreError && REFUSALS.has(error.code);

type Named = Omit<RefusedImage, "error">;

/** Codes of the change that concern some of its images, which are named in `errors`. The others may be stored without them. */
const REFUSES_SOME: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["image_exists", "quota_exceeded"]);

/** Why images of the change are refused, by their names. Empty for an error that concerns all of them. */
export function refusedNames(error: unknown): ReadonlyMap<string, StoreError> {
  const refused = new Map<string, StoreError>();
  if (!(error instanceof StoreError) || !REFUSES_SOME.has(error.code)) return refused;
  for (const { name, code = error.code, detail } of error.errors) {
    if (name !== undefined) refused.set(name, new StoreError(code, detail, { members: error.members }));
  }
  return refused;
}

/** The images that are not among the stored ones. */
export function withoutStored<Image extends Named>(
  images: readonly Image[],
  stored: readonly PutImage[],
): readonly Image[] {
  const names = new Set(stored.map(({ image }) => image.name));
  return images.filter(({ name }) => !names.has(name));
}

/** An error of the change, with an entry for each part of the form that it refuses. */
export function withParts(error: unknown, images: readonly Named[]): unknown {
  const names = refusedNames(error);
  if (!(error instanceof StoreError) || names.size === 0) return error;
  return refusalOf(
    error,
    images.flatMap((image) => {
      const refusal = names.get(image.name);
      return refusal === undefined ? [] : { ...image, error: refusal };
    }),
  );
}

/** The error of the first refused image, with an entry for each image of a form. Without a form it is that error itself. */
export function refusalOf(first: StoreError, refused: readonly RefusedImage[]): StoreError {
  if (refused.every(({ part }) => part === undefined)) return first;
  const errors = refused.map(({ part, name, error }) => {
    const [field] = error.errors;
    return {
      ...(part === undefined ? {} : { part }),
      name,
      code: error.code,
      ...(field?.pointer === undefined ? {} : { pointer: field.pointer }),
      detail: field === undefined || field.code !== undefined ? error.message : `${error.message} ${field.detail}`,
    };
  });
  return new StoreError(first.code, first.message, { errors, members: first.members, cause: first.cause });
}
