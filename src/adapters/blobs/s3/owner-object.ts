import { GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { StoreError } from "../../../domain/errors.ts";
import { StoreOpenError } from "../../../domain/open-error.ts";
import { formatOwner, OWNER_NAME, parseOwner } from "../owner-file.ts";
import type { S3 } from "./client.ts";
import { isMissing, isTaken, isTransient } from "./errors.ts";

/** A refusal that is not transient is for the operator to resolve. */
const attempt = <Result>(s3: S3, work: Parameters<typeof s3.try<Result>>[0]) =>
  s3.try(work, {}, (error) => {
    if (error instanceof StoreError || isTransient(error)) return undefined;
    const { name, message } = error as Error;
    return new StoreOpenError("unusable", `The bucket ${s3.bucket} refuses the store: ${name}: ${message}`, {
      cause: error,
    });
  });

/** Undefined where the prefix has no such object. */
export async function readOwnerObject(s3: S3, prefix: string): Promise<string | undefined> {
  const Key = prefix + OWNER_NAME;
  const text = await attempt(s3, async (client, { signal }) => {
    try {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: s3.bucket, Key }), { abortSignal: signal });
      return await Body?.transformToString();
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  });
  return text === undefined ? undefined : parseOwner(text, `s3://${s3.bucket}/${Key}`);
}

/**
 * Writes the object only if there is none, and reads it back: on servers that ignore the condition the last writer wins, and
 * both writers then see it. Returns the owner.
 */
export async function claimOwnerObject(s3: S3, prefix: string, storeId: string): Promise<string> {
  const present = await readOwnerObject(s3, prefix);
  if (present !== undefined) return present;
  const bytes = Buffer.from(formatOwner(storeId));
  await attempt(s3, async (client, { signal }) => {
    const command = new PutObjectCommand({
      Bucket: s3.bucket,
      Key: prefix + OWNER_NAME,
      Body: bytes,
      ContentLength: bytes.byteLength,
      ContentType: "text/plain",
      ChecksumSHA256: new Bun.CryptoHasher("sha256").update(bytes).digest("base64"),
      IfNoneMatch: "*",
    });
    try {
      await client.send(command, { abortSignal: signal });
    } catch (error) {
      // Written by another node, or by an attempt whose response was lost.
      if (!isTaken(error)) throw error;
    }
  });
  const owner = await readOwnerObject(s3, prefix);
  if (owner === undefined)
    throw new StoreError("unavailable", "The object store did not keep the store's id.", {
      cause: new Error(`s3://${s3.bucket}/${prefix}${OWNER_NAME} is missing after it was written`),
    });
  return owner;
}
