import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { createLimit } from "../../../concurrency/limit.ts";
import { StoreError } from "../../../domain/errors.ts";
import { close, open, readFully } from "../../files/file-system.ts";
import type { S3 } from "./client.ts";
import { isMissing } from "./errors.ts";
import { patienceFor, type Sending, verifyObject } from "./sending.ts";

/** Uploads in parts, without the helper of the SDK: docs/adr/0014-send-objects-in-parts-ourselves.md. */
export interface MultipartUpload {
  send(objectKey: string, sending: Sending): Promise<void>;
  /** Aborts uploads of that object which a crash left. */
  abortAll(objectKey: string): Promise<void>;
}

/** Each holds its part in memory. */
const PARTS_AT_ONCE = 8;
const MOST_PARTS = 10_000;

/** `partBytes`: of each part but the last, more where there would be too many. S3 requires at least 5 MiB. */
export function createMultipartUpload(s3: S3, { partBytes }: { partBytes: number }): MultipartUpload {
  const limited = createLimit(PARTS_AT_ONCE);

  async function sendParts(objectKey: string, uploadId: string, path: string, { size, until }: Sending) {
    const fd = await open(path, "r");
    try {
      // All are awaited: none may still read from the descriptor when it is closed.
      const outcomes = await Promise.allSettled(
        partsOf(size, partBytes).map((part) => limited(() => sendPart(s3, { objectKey, uploadId, fd, part, until }))),
      );
      return outcomes.map((outcome): CompletedPart => {
        if (outcome.status === "rejected") throw outcome.reason;
        return outcome.value;
      });
    } finally {
      await close(fd);
    }
  }

  return {
    async send(objectKey, sending) {
      const { source, size, until } = sending;
      if (!("path" in source)) throw new Error("A blob that is sent in parts must be in a file.");
      const uploadId = await createUpload(s3, objectKey, until);
      try {
        const parts = await sendParts(objectKey, uploadId, source.path, sending);
        // With the patience of the whole: the server may have to put gigabytes together.
        await completeUpload(s3, { objectKey, uploadId, parts }, patienceFor(size, until));
      } catch (error) {
        // Best effort: the sweeper aborts what is left, with the row of the blob.
        await abortUpload(s3, objectKey, uploadId).catch(() => {});
        throw error;
      }
      await verifyObject(s3, objectKey, sending);
    },

    async abortAll(objectKey) {
      const { Uploads: uploads = [] } = await s3.try((client, { signal }) =>
        client.send(new ListMultipartUploadsCommand({ Bucket: s3.bucket, Prefix: objectKey }), { abortSignal: signal }),
      );
      for (const { Key, UploadId } of uploads)
        if (Key === objectKey && UploadId !== undefined) await abortUpload(s3, objectKey, UploadId);
    },
  };
}

async function createUpload(s3: S3, objectKey: string, until: number): Promise<string> {
  const command = { Bucket: s3.bucket, Key: objectKey, ChecksumAlgorithm: "SHA256" } as const;
  const { UploadId } = await s3.try(
    (client, { signal }) => client.send(new CreateMultipartUploadCommand(command), { abortSignal: signal }),
    patienceFor(0, until),
  );
  if (UploadId === undefined) throw new StoreError("unavailable", "The object store did not start a multipart upload.");
  return UploadId;
}

interface PartSending {
  readonly objectKey: string;
  readonly uploadId: string;
  readonly fd: number;
  readonly part: Part;
  readonly until: number;
}

async function sendPart(s3: S3, { objectKey, uploadId, fd, part, until }: PartSending): Promise<CompletedPart> {
  const bytes = Buffer.allocUnsafeSlow(part.size);
  if ((await readFully(fd, bytes, part.start)) < part.size) throw new Error("The staged file became shorter.");
  const checksum = new Bun.CryptoHasher("sha256").update(bytes).digest("base64");
  const command = {
    Bucket: s3.bucket,
    Key: objectKey,
    UploadId: uploadId,
    PartNumber: part.number,
    Body: bytes,
    ContentLength: part.size,
    ChecksumSHA256: checksum,
  };
  const { ETag } = await s3.try(
    (client, { signal }) => client.send(new UploadPartCommand(command), { abortSignal: signal }),
    patienceFor(part.size, until),
  );
  return { PartNumber: part.number, ETag, ChecksumSHA256: checksum };
}

interface Completion {
  readonly objectKey: string;
  readonly uploadId: string;
  readonly parts: readonly CompletedPart[];
}

async function completeUpload(
  s3: S3,
  { objectKey, uploadId, parts }: Completion,
  patience: ReturnType<typeof patienceFor>,
): Promise<void> {
  const command = {
    Bucket: s3.bucket,
    Key: objectKey,
    UploadId: uploadId,
    MultipartUpload: { Parts: [...parts] },
  };
  await s3.try(
    (client, { signal }) =>
      client
        .send(new CompleteMultipartUploadCommand(command), { abortSignal: signal })
        // An attempt whose response was lost may have completed it: the verification tells.
        .catch(unlessMissing),
    patience,
  );
}

const abortUpload = (s3: S3, objectKey: string, uploadId: string) =>
  s3.try((client, { signal }) =>
    client
      .send(new AbortMultipartUploadCommand({ Bucket: s3.bucket, Key: objectKey, UploadId: uploadId }), {
        abortSignal: signal,
      })
      .catch(unlessMissing),
  );

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

function unlessMissing(error: unknown): undefined {
  if (!isMissing(error)) throw error;
}
