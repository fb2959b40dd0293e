import { StoreError } from "../../../domain/errors.ts";

/** What the SDK throws, as far as it matters: of an answer its status and its code, of a connection neither. */
const statusOf = (error: unknown): number | undefined =>
  error instanceof Error && "$metadata" in error
    ? (error.$metadata as { httpStatusCode?: number } | undefined)?.httpStatusCode
    : undefined;
const nameOf = (error: unknown): string => (error instanceof Error ? error.name : "");

/** Answers below 500 that the same request may not get again: bytes that arrived changed, a clock, too many requests. */
const TRANSIENT = new Set([
  "BadDigest",
  "InvalidDigest",
  "RequestTimeout",
  "RequestTimeTooSkewed",
  "SlowDown",
  "XAmzContentSHA256Mismatch",
]);

/** Whether to try again: no answer, or one that says so. */
export function isTransient(error: unknown): boolean {
  if (error instanceof StoreError) return false;
  const status = statusOf(error);
  if (status === undefined) return nameOf(error) !== "CredentialsProviderError";
  return status === 408 || status === 429 || (status >= 500 && status !== 507) || TRANSIENT.has(nameOf(error));
}

/** No such object; a bucket that is not there is another matter, as far as the answer tells. */
export const isMissing = (error: unknown): boolean => statusOf(error) === 404 && nameOf(error) !== "NoSuchBucket";
/** The object ends before the range begins. */
export const isBeyondEnd = (error: unknown): boolean => statusOf(error) === 416;

/** As the store says it. Its own errors pass. */
export function translateS3Error(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  if (statusOf(error) === 507)
    return new StoreError("insufficient_storage", "The object store is full.", { cause: error });
  return new StoreError("unavailable", "The object store does not take or give the bytes. Try again later.", {
    cause: error,
  });
}
