import { DeleteObjectCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
import type { FoundBlob } from "../../../ports.ts";
import type { S3 } from "./client.ts";
import { isMissing } from "./errors.ts";
import { locationOf, parseObjectName } from "./object-name.ts";

/** The blobs under a prefix, but those on their way. Objects with other names are left out. */
export async function* listObjects(s3: S3, prefix: string, unreleased: ReadonlySet<string>): AsyncGenerator<FoundBlob> {
  for (let token: string | undefined; ; ) {
    const page = await s3.try((client, { signal }) =>
      client.send(new ListObjectsV2Command({ Bucket: s3.bucket, Prefix: prefix, ContinuationToken: token }), {
        abortSignal: signal,
      }),
    );
    for (const { Key = "", Size = 0, LastModified } of page.Contents ?? []) {
      const name = parseObjectName(Key.slice(prefix.length));
      if (name === undefined || unreleased.has(name.key)) continue;
      yield { key: name.key, location: locationOf(name), size: Size, modifiedAt: LastModified?.getTime() ?? 0 };
    }
    token = page.NextContinuationToken;
    if (page.IsTruncated !== true || token === undefined) return;
  }
}

/** Idempotent. */
export async function deleteObject(s3: S3, objectKey: string): Promise<void> {
  await s3.try((client, { signal }) =>
    client
      .send(new DeleteObjectCommand({ Bucket: s3.bucket, Key: objectKey }), { abortSignal: signal })
      .catch((error: unknown) => {
        if (!isMissing(error)) throw error;
      }),
  );
}
