import { ListObjectsV2Command } from "@aws-sdk/client-s3";
import { StoreError } from "../../../domain/errors.ts";
import type { BlobContent, ByteRange } from "../../../ports.ts";
import { createS3, type S3Access } from "./client.ts";
import { isMissing, nameOf, statusOf } from "./errors.ts";
import { createS3Reader } from "./read.ts";
import { ObjectSourceError } from "./source-error.ts";

export interface FoundObject {
  readonly key: string;
  readonly size: number;
  /** As the object store writes it, in quotes. Empty if it gives none. */
  readonly etag: string;
  /** Milliseconds since 1970. */
  readonly modifiedAt: number;
}

/** A bucket of others, which is only read. All errors are {@link ObjectSourceError}s. */
export interface S3Source extends Disposable {
  /** Objects whose keys begin with the prefix, a page at a time. */
  list(): AsyncGenerator<readonly FoundObject[], void>;
  /** The object as it was listed, or a range of it: an object that has changed is refused. */
  read(object: FoundObject, range?: ByteRange): Promise<Exclude<BlobContent, Blob>>;
}

type Place = S3Access & { readonly prefix: string };

/** Credentials come by the SDK's usual chain, as those of the store's own bucket. */
export function createS3Source(place: Place): S3Source {
  const s3 = createS3(place);
  const reader = createS3Reader(s3);
  const fail = (error: unknown): never => {
    throw explain(error, place);
  };
  return {
    async *list() {
      const request = { Bucket: place.bucket, Prefix: place.prefix, EncodingType: "url" } as const;
      for (let token: string | undefined; ; ) {
        const command = () => new ListObjectsV2Command({ ...request, ContinuationToken: token });
        const page = await s3.try((client, { signal }) => client.send(command(), { abortSignal: signal })).catch(fail);
        // XML cannot hold every character of a key. A server that does not encode says so.
        const decode = page.EncodingType === "url" ? decodeKey : (key: string) => key;
        yield (page.Contents ?? []).map(({ Key = "", Size = 0, ETag = "", LastModified }) => ({
          key: decode(Key),
          size: Size,
          etag: ETag,
          modifiedAt: LastModified?.getTime() ?? 0,
        }));
        token = page.NextContinuationToken;
        if (page.IsTruncated !== true || token === undefined) return;
      }
    },
    async read({ key, size, etag }, range) {
      const options = { size, etag: etag === "" ? undefined : etag, ...(range === undefined ? {} : { range }) };
      const content = await reader.read(key, options).catch(fail);
      return content instanceof ReadableStream ? withErrors(content, fail) : (content as Uint8Array<ArrayBuffer>);
    },
    [Symbol.dispose]: () => s3[Symbol.dispose](),
  };
}

const decodeKey = (key: string): string => decodeURIComponent(key.replaceAll("+", " "));

function withErrors<Chunk>(stream: ReadableStream<Chunk>, fail: (error: unknown) => never): ReadableStream<Chunk> {
  const reader = stream.getReader();
  return new ReadableStream<Chunk>(
    {
      async pull(controller) {
        const next = await reader.read().catch(fail);
        if (next.done) controller.close();
        else controller.enqueue(next.value);
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

/** What is wrong, in a sentence that goes behind the name of an object or of the bucket. */
function explain(error: unknown, { bucket, endpoint = "Amazon S3" }: Place): ObjectSourceError {
  const cause = error instanceof StoreError ? error.cause : error;
  const options = { cause: error };
  if (error instanceof StoreError && error.code === "blob_damaged")
    return isMissing(cause)
      ? new ObjectSourceError("it is no longer in the bucket", options)
      : new ObjectSourceError("it changed after it was listed", options);
  const [status, name] = [statusOf(cause), nameOf(cause)];
  if (name === "CredentialsProviderError")
    return new ObjectSourceError(
      "there are no credentials for S3; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or another source of the AWS SDK",
      { ...options, isAway: true },
    );
  if (name === "NoSuchBucket" || status === 404)
    return new ObjectSourceError(`${endpoint} has no bucket ${bucket}`, { ...options, isAway: true });
  if (status === 401 || status === 403)
    return new ObjectSourceError(
      `${endpoint} refuses access (${name}); the credentials need s3:ListBucket and s3:GetObject`,
      { ...options, isAway: true },
    );
  const said = cause instanceof Error ? cause.message || name : String(cause);
  if (status === undefined)
    return new ObjectSourceError(`the object store at ${endpoint} does not answer (${said})`, {
      ...options,
      isAway: true,
    });
  return new ObjectSourceError(`the object store at ${endpoint} responds with ${status} (${name}: ${said})`, options);
}
