import { createReadStream } from "node:fs";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import { createLimit } from "../../../concurrency/limit.ts";
import type { BlobSource } from "../../../ports.ts";
import type { S3 } from "./client.ts";
import { createMultipartUpload } from "./multipart.ts";
import { base64, patienceFor, type Sending, verifyObject } from "./sending.ts";

export interface S3Upload {
  /** The object is complete and verified when it resolves. After a failure it may exist, or appear later. */
  readonly send: (objectKey: string, sending: Sending) => Promise<void>;
  /** As `send`, in parts. */
  readonly sendInParts: (objectKey: string, sending: Sending) => Promise<void>;
  /** Aborts uploads in parts of that object which a crash left. */
  readonly abortParts: (objectKey: string) => Promise<void>;
}

const REQUESTS_AT_ONCE = 32;

export function createS3Upload(s3: S3, options: { partBytes: number }): S3Upload {
  const limited = createLimit(REQUESTS_AT_ONCE);
  const multipart = createMultipartUpload(s3, options);

  return {
    async send(objectKey, sending) {
      const { source, size, sha256, until } = sending;
      const command = { Bucket: s3.bucket, Key: objectKey, ContentLength: size, ChecksumSHA256: base64(sha256) };
      await limited(() =>
        s3.try(
          (client, running) =>
            withBody(source, running, (body) =>
              client.send(new PutObjectCommand({ ...command, Body: body }), { abortSignal: running.signal }),
            ),
          patienceFor(size, until),
        ),
      );
      await verifyObject(s3, objectKey, sending);
    },
    sendInParts: (objectKey, sending) => multipart.send(objectKey, sending),
    abortParts: (objectKey) => multipart.abortAll(objectKey),
  };
}

/** A stream that fails without a listener would end the process, and one that is abandoned keeps its descriptor. */
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
