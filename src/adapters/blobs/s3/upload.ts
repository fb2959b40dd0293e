import { createReadStream } from "node:fs";
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { StoreError } from "../../../domain/errors.ts";
import type { BlobSource } from "../../../ports.ts";
import { close, open, readFully } from "../../files/file-system.ts";
import type { Patience, S3 } from "./client.ts";
import { isMissing } from "./errors.ts";
import { createLimit } from "./limit.ts";

export interface Sending {
  readonly source: BlobSource;
  readonly size: number;
  readonly sha256: string;
  /** By `performance`'s clock: nothing is sent after it. */
  readonly until: number;
}

export interface S3Upload {
  /** There, whole and sound when it resolves. After a failure it may be there, or come later. */
  send(objectKey: string, sending: Sending): Promise<void>;
  /** The same, in parts. */
  sendInParts(objectKey: string, sending: Sending): Promise<void>;
  /** What a crash left of it. */
  abortParts(objectKey: string): Promise<void>;
}

const KIBIBYTE = 1024;
/** A request with bytes may be so slow, in bytes a second, after the first seconds. */
const LEAST_RATE = 256 * KIBIBYTE;
const FIRST_MS = 15_000;
const RETRY_MS = 10_000;
const REQUESTS_AT_ONCE = 32;
/** Each holds its part in memory. */
const PARTS_AT_ONCE = 8;
const MOST_PARTS = 10_000;

const base64 = (sha256: string): string => Buffer.from(sha256, "hex").toString("base64");

const patienceFor = (size: number, until: number): Patience => ({
  attempt: FIRST_MS + (size / LEAST_RATE) * 1000,
  retry: RETRY_MS,
  until,
});

/** `partBytes`: of each part but the last, unless there would be too many; S3 wants 5 MiB at least. */
export function createS3Upload(s3: S3, { partBytes }: { partBytes: number }): S3Upload {
  const inLine = createLimit(REQUESTS_AT_ONCE);
  const partsInLine = createLimit(PARTS_AT_ONCE);

  /** The answer to a PUT says that something was stored, not what. */
  async function verify(objectKey: string, { size, sha256, until }: Sending): Promise<void> {
    const head = await s3.try(
      (client, { signal }) =>
        client.send(new HeadObjectCommand({ Bucket: s3.bucket, Key: objectKey, ChecksumMode: "ENABLED" }), {
          abortSignal: signal,
        }),
      patienceFor(0, until),
    );
    // Of parts there is a checksum of checksums, which ends in their number.
    const checksum = head.ChecksumSHA256?.includes("-") === true ? undefined : head.ChecksumSHA256;
    if (head.ContentLength !== size || (checksum !== undefined && checksum !== base64(sha256)))
      throw new StoreError("unavailable", "The object store kept other bytes than it was sent. Try again.", {
        cause: new Error(`${objectKey} has ${head.ContentLength} bytes of ${size}, and the checksum ${checksum}`),
      });
  }

  async function sendPart(objectKey: string, uploadId: string, fd: number, part: Part, until: number) {
    const bytes = Buffer.allocUnsafeSlow(part.size);
    if ((await readFully(fd, bytes, part.start)) < part.size) throw new Error("The staged file became shorter.");
    const checksum = new Bun.CryptoHasher("sha256").update(bytes).digest("base64");
    const { ETag } = await s3.try(
      (client, { signal }) =>
        client.send(
          new UploadPartCommand({
            Bucket: s3.bucket,
            Key: objectKey,
            UploadId: uploadId,
            PartNumber: part.number,
            Body: bytes,
            ContentLength: part.size,
            ChecksumSHA256: checksum,
          }),
          { abortSignal: signal },
        ),
      patienceFor(part.size, until),
    );
    return { PartNumber: part.number, ETag, ChecksumSHA256: checksum };
  }

  async function sendParts(objectKey: string, uploadId: string, path: string, sending: Sending) {
    const { size, until } = sending;
    const fd = await open(path, "r");
    try {
      const parts = partsOf(size, partBytes);
      // All are waited for: none may still read from the descriptor when it is closed.
      const outcomes = await Promise.allSettled(
        parts.map((part) => partsInLine(() => sendPart(objectKey, uploadId, fd, part, until))),
      );
      return outcomes.map((outcome): CompletedPart => {
        if (outcome.status === "rejected") throw outcome.reason;
        return outcome.value;
      });
    } finally {
      await close(fd);
    }
  }

  const abortUpload = (objectKey: string, uploadId: string) =>
    s3.try((client, { signal }) =>
      client
        .send(new AbortMultipartUploadCommand({ Bucket: s3.bucket, Key: objectKey, UploadId: uploadId }), {
          abortSignal: signal,
        })
        .catch(doneIfMissing),
    );

  return {
    async send(objectKey, sending) {
      const { source, size, sha256, until } = sending;
      await inLine(() =>
        s3.try(
          (client, running) =>
            withBody(source, running, (body) =>
              client.send(
                new PutObjectCommand({
                  Bucket: s3.bucket,
                  Key: objectKey,
                  Body: body,
                  ContentLength: size,
                  ChecksumSHA256: base64(sha256),
                }),
                { abortSignal: running.signal },
              ),
            ),
          patienceFor(size, until),
        ),
      );
      await verify(objectKey, sending);
    },

    async sendInParts(objectKey, sending) {
      const { source, until } = sending;
      if (!("path" in source)) throw new Error("What is sent in parts is in a file.");
      const { UploadId: uploadId } = await s3.try(
        (client, { signal }) =>
          client.send(
            new CreateMultipartUploadCommand({ Bucket: s3.bucket, Key: objectKey, ChecksumAlgorithm: "SHA256" }),
            { abortSignal: signal },
          ),
        patienceFor(0, until),
      );
      if (uploadId === undefined) throw new StoreError("unavailable", "The object store begins no upload in parts.");
      try {
        const parts = await sendParts(objectKey, uploadId, source.path, sending);
        await s3.try(
          (client, { signal }) =>
            client
              .send(
                new CompleteMultipartUploadCommand({
                  Bucket: s3.bucket,
                  Key: objectKey,
                  UploadId: uploadId,
                  MultipartUpload: { Parts: parts },
                }),
                { abortSignal: signal },
              )
              // Completed by an attempt whose answer was lost: what is there is looked at below.
              .catch(doneIfMissing),
          // The server may have to put gigabytes together.
          patienceFor(sending.size, until),
        );
      } catch (error) {
        // Best effort: what is left is aborted with the blob's row.
        await abortUpload(objectKey, uploadId).catch(() => {});
        throw error;
      }
      await verify(objectKey, sending);
    },

    async abortParts(objectKey) {
      const { Uploads: uploads = [] } = await s3.try((client, { signal }) =>
        client.send(new ListMultipartUploadsCommand({ Bucket: s3.bucket, Prefix: objectKey }), { abortSignal: signal }),
      );
      for (const { Key, UploadId } of uploads)
        if (Key === objectKey && UploadId !== undefined) await abortUpload(objectKey, UploadId);
    },
  };
}

/** A stream that fails while nobody listens would end the process, and one that is left keeps its descriptor. */
async function withBody<Result>(
  source: BlobSource,
  running: AbortController,
  work: (body: Uint8Array | ReturnType<typeof createReadStream>) => Promise<Result>,
): Promise<Result> {
  if ("bytes" in source) return work(source.bytes);
  const stream = createReadStream(source.path);
  stream.on("error", (error) => running.abort(error));
  try {
    return await work(stream);
  } finally {
    stream.destroy();
  }
}

interface Part {
  readonly number: number;
  readonly start: number;
  readonly size: number;
}

function partsOf(size: number, partBytes: number): readonly Part[] {
  const each = Math.max(partBytes, Math.ceil(size / MOST_PARTS));
  return Array.from({ length: Math.ceil(size / each) }, (_, index) => ({
    number: index + 1,
    start: index * each,
    size: Math.min(each, size - index * each),
  }));
}

function doneIfMissing(error: unknown): undefined {
  if (!isMissing(error)) throw error;
}
