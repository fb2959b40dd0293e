import { StoreError } from "../../../domain/errors.ts";

/** The status of a response that the SDK throws; undefined for an error of the connection. */
export const statusOf = (error: unknown): number | undefined =>
  error instanceof Error && "$metadata" in error
    ? (error.$metadata as { httpStatusCode?: number } | undefined)?.httpStatusCode
    : undefined;
export const nameOf = (error: unknown): string => (error instanceof Error ? error.name : "");

/** Errors below 500 that a retry may not get: bytes that arrived changed, a wrong clock, too many requests. */
const TRANSIENT = new Set([
  "BadDigest",
  "InvalidDigest",
  "RequestTimeout",
  "RequestTimeTooSkewed",
  "SlowDown",
  "XAmzContentSHA256Mismatch",
]);

/** Whether a retry may succeed: after no response, or one that says so. */
export function isTransient(error: unknown): boolean {
  if (error instanceof StoreError) return false;
  const status = statusOf(error);
  if (status === undefined) return nameOf(error) !== "CredentialsProviderError";
  return status === 408 || status === 429 || (status >= 500 && status !== 507) || TRANSIENT.has(nameOf(error));
}

/** No such object. A missing bucket is another error, as far as the response tells. */
export const isMissing = (error: unknown): boolean => statusOf(error) === 404 && nameOf(error) !== "NoSuchBucket";
/** A conditional write found an object (412), or met another write of it (409); a conditional read found another object (412). */
export const isTaken = (error: unknown): boolean => statusOf(error) === 412 || statusOf(error) === 409;
/** The object ends before the range begins. */
export const isBeyondEnd = (error: unknown): boolean => statusOf(error) === 416;

/** The error as a StoreError. A StoreError is returned as it is. */
export function translateS3Error(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  if (statusOf(error) === 507)
    return new StoreError("insufficient_storage", "The object store is full.", { cause: error });
  return new StoreError("unavailable", "The object store is not available. Try again later.", {
    cause: error,
  });
}
