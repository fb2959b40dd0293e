import { DeleteObjectCommand, HeadBucketCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
import { StoreError } from "../../domain/errors.ts";
import type { BlobContent, BlobSource, BlobStore, ByteRange, FoundBlob, StagedBlob } from "../../ports.ts";
import { damaged } from "../files/file-reader.ts";
import { close, translateFileError, unlinkIfThere } from "../files/file-system.ts";
import { createFreeSpace } from "../files/free-space.ts";
import { writeNewFile } from "../files/write-new-file.ts";
import { newKey } from "./files.ts";
import { createS3, type S3Access } from "./s3/client.ts";
import { isMissing } from "./s3/errors.ts";
import { locationOf, newObjectName, type ObjectName, parseLocation, parseObjectName } from "./s3/object-name.ts";
import { createS3Reader } from "./s3/read.ts";
import { createS3Upload } from "./s3/upload.ts";
import { createMemoryBudget, gatherSmall } from "./small-source.ts";
import { emptyTemporary, newTemporaryPath } from "./temporary-folder.ts";

export interface S3BlobsOptions extends S3Access {
  /** Before every object's name: empty, or ends with a slash. */
  readonly prefix: string;
  /** For what is too large for memory while it is on its way. Nobody else's. */
  readonly spoolFolder: string;
  /** Uploads that need the spool folder are refused below this much free space; undefined: 1 %, at least 256 MiB. */
  readonly minFree: number | undefined;
  /** Milliseconds after which a commit gives up: fewer than the grace, when the sweeper takes what has no record. */
  readonly commitWithin: number;
  /** Empty the spool folder: only for who has it alone. Without it nothing is touched until something is asked for. */
  readonly recover: boolean;
  /** Larger blobs are sent in parts. Default: 64 MiB. */
  readonly partsAbove?: number;
  /** Default: 8 MiB. */
  readonly partBytes?: number;
}

const MEBIBYTE = 1024 * 1024;
/** Of all uploads together. Past it, small ones take the way of the large ones, through a file each. */
const STAGED_BYTES = 64 * MEBIBYTE;

/** Bytes in an S3-compatible object store, an object each; on their way there in memory, large ones in a file. */
export async function openS3Blobs(options: S3BlobsOptions): Promise<BlobStore> {
  const { prefix, spoolFolder, commitWithin, partsAbove = 64 * MEBIBYTE, partBytes = 8 * MEBIBYTE } = options;
  const s3 = createS3(options);
  const upload = createS3Upload(s3, { partBytes });
  const reader = createS3Reader(s3);
  const freeSpace = createFreeSpace(spoolFolder, options.minFree);
  const memory = createMemoryBudget(STAGED_BYTES);
  /** Neither committed nor discarded. */
  const staging = new Map<string, StagedBlob>();
  /** From the moment they have a key until their change was answered. */
  const unsettled = new Set<string>();
  const objectKeyOf = ({ name }: ObjectName): string => prefix + name;

  if (options.recover) await emptyTemporary(spoolFolder);

  async function stage(source: AsyncIterable<Uint8Array>, { maxBytes }: { maxBytes: number }): Promise<StagedBlob> {
    const { bytes, source: large } = await gatherSmall(source, Math.min(MEBIBYTE, maxBytes), memory);
    if (bytes === undefined) {
      const { path, size, sha256 } = await spool(large, maxBytes);
      return keep({ size, sha256, source: { path } });
    }
    const sha256 = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
    return keep({ size: bytes.byteLength, sha256, source: { bytes } });
  }

  /** Not synced: until the bytes are in the object store, nothing was promised. */
  async function spool(source: AsyncIterable<Uint8Array>, maxBytes: number) {
    const path = newTemporaryPath(spoolFolder);
    const { fd, ...file } = await writeNewFile(path, withRoom(source), maxBytes);
    await close(fd);
    return { path, ...file };
  }

  async function* withRoom(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      await freeSpace.take(chunk.byteLength);
      yield chunk;
    }
  }

  function keep(blob: Omit<StagedBlob, "key" | "location">): StagedBlob {
    const key = newKey(blob.sha256);
    const staged = { key, location: locationOf(newObjectName(key, blob.size > partsAbove)), ...blob };
    staging.set(key, staged);
    unsettled.add(key);
    return staged;
  }

  async function commit({ key }: StagedBlob): Promise<string> {
    const staged = staging.get(key);
    if (staged === undefined) throw new Error(`${key} is not staged.`);
    staging.delete(key);
    const name = newObjectName(key, staged.size > partsAbove);
    try {
      const sending = { ...staged, until: performance.now() + commitWithin };
      if (name.isInParts) await upload.sendInParts(objectKeyOf(name), sending);
      else await upload.send(objectKeyOf(name), sending);
      return locationOf(name);
    } catch (error) {
      unsettled.delete(key);
      throw error;
    } finally {
      await letGo(staged.source);
    }
  }

  async function discard({ key }: StagedBlob): Promise<void> {
    const staged = staging.get(key);
    if (staged === undefined) return;
    staging.delete(key);
    unsettled.delete(key);
    await letGo(staged.source);
  }

  /** Best effort: what is left in the spool folder goes at the next start. */
  async function letGo(source: BlobSource): Promise<void> {
    if ("bytes" in source) memory.give(source.bytes.byteLength);
    else await unlinkIfThere(source.path).catch(() => {});
  }

  const read = async (location: string, what: { size: number; range?: ByteRange }): Promise<BlobContent> =>
    reader.read(objectKeyOf(nameAt(location)), what);

  async function remove(location: string): Promise<void> {
    const name = nameAt(location);
    const Key = objectKeyOf(name);
    // First: a part that is still on its way can't make it whole any more.
    if (name.isInParts) await upload.abortParts(Key);
    await s3.try((client, { signal }) =>
      client
        .send(new DeleteObjectCommand({ Bucket: s3.bucket, Key }), { abortSignal: signal })
        .catch((error: unknown) => {
          if (!isMissing(error)) throw error;
        }),
    );
  }

  async function* list(): AsyncGenerator<FoundBlob> {
    for (let token: string | undefined; ; ) {
      const page = await s3.try((client, { signal }) =>
        client.send(new ListObjectsV2Command({ Bucket: s3.bucket, Prefix: prefix, ContinuationToken: token }), {
          abortSignal: signal,
        }),
      );
      for (const { Key = "", Size = 0, LastModified } of page.Contents ?? []) {
        const name = parseObjectName(Key.slice(prefix.length));
        if (name === undefined || unsettled.has(name.key)) continue;
        yield { key: name.key, location: locationOf(name), size: Size, modifiedAt: LastModified?.getTime() ?? 0 };
      }
      token = page.NextContinuationToken;
      if (page.IsTruncated !== true || token === undefined) return;
    }
  }

  return {
    shared: true,
    stage: (source, limit) => translated(stage(source, limit)),
    commit: (staged) => translated(commit(staged)),
    discard,
    settle(keys) {
      for (const key of keys) unsettled.delete(key);
    },
    read,
    async lend(location, { size }, work) {
      const content = await read(location, { size });
      if (content instanceof Uint8Array) return work({ bytes: content });
      const { key } = nameAt(location);
      const { path, sha256 } = await translated(spool(content as ReadableStream<Uint8Array<ArrayBuffer>>, size));
      try {
        if (!key.startsWith(sha256)) throw damaged(`Its bytes have the digest ${sha256}.`);
        return await work({ path });
      } finally {
        await unlinkIfThere(path).catch(() => {});
      }
    },
    remove,
    list,
    async compact() {},
    /**
     * Nothing is written: a node that can't reads all the same, each probe would leave a version in a bucket that keeps
     * them, and uploads tell by themselves.
     */
    async probe() {
      await s3.try(
        (client, { signal }) => client.send(new HeadBucketCommand({ Bucket: s3.bucket }), { abortSignal: signal }),
        { attempt: PROBE_MS, retry: 0 },
      );
      await translated(freeSpace.take(0));
      return { freeBytes: undefined };
    },
    async [Symbol.asyncDispose]() {
      s3[Symbol.dispose]();
    },
  };
}

/** Less than readiness waits for. */
const PROBE_MS = 1500;

function nameAt(location: string): ObjectName {
  const name = parseLocation(location);
  if (name === undefined) throw damaged(`${JSON.stringify(location)} is no place in this store.`);
  return name;
}

async function translated<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    throw error instanceof StoreError ? error : translateFileError(error);
  }
}
