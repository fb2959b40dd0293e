import { HeadObjectCommand } from "@aws-sdk/client-s3";
import { StoreError } from "../../../domain/errors.ts";
import type { BlobSource } from "../../../ports.ts";
import type { Patience, S3 } from "./client.ts";

/** A blob on its way to the object store. */
export interface Sending {
  readonly source: BlobSource;
  readonly size: number;
  readonly sha256: string;
  /** By `performance`'s clock: nothing is sent after it. */
  readonly until: number;
}

/** Bytes a second that a request with bytes must reach, after the first seconds. */
const LEAST_RATE = 256 * 1024;
const FIRST_MS = 15_000;
const RETRY_MS = 10_000;

/** For a request with so many bytes. */
export const patienceFor = (size: number, until: number): Patience => ({
  attempt: FIRST_MS + (size / LEAST_RATE) * 1000,
  retry: RETRY_MS,
  until,
});

export const base64 = (sha256: string): string => Buffer.from(sha256, "hex").toString("base64");

/**
 * The response to a PUT says that something was stored, not what.
 * @throws StoreError `unavailable` when the object has another size or checksum
 */
export async function verifyObject(
  s3: S3,
  objectKey: string,
  { size, sha256, until }: Omit<Sending, "source">,
): Promise<void> {
  const head = await s3.try(
    (client, { signal }) =>
      client.send(new HeadObjectCommand({ Bucket: s3.bucket, Key: objectKey, ChecksumMode: "ENABLED" }), {
        abortSignal: signal,
      }),
    patienceFor(0, until),
  );
  // Of an object in parts it is a checksum of checksums, which ends in the number of parts.
  const checksum = head.ChecksumSHA256?.includes("-") === true ? undefined : head.ChecksumSHA256;
  if (head.ContentLength !== size || (checksum !== undefined && checksum !== base64(sha256)))
    throw new StoreError("unavailable", "The object store kept other bytes than it was sent. Try again.", {
      cause: new Error(`${objectKey} has ${head.ContentLength} bytes of ${size}, and the checksum ${checksum}`),
    });
}
