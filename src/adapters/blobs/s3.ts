import { HeadBucketCommand } from "@aws-sdk/client-s3";
import type { BlobStore } from "../../ports.ts";
import { damaged } from "../files/file-reader.ts";
import { close, translatingFileErrors } from "../files/file-system.ts";
import { createFreeSpace } from "../files/free-space.ts";
import { writeNewFile } from "../files/write-new-file.ts";
import { fetchLocal, inMemory } from "./local-blob.ts";
import { createS3, type S3Access } from "./s3/client.ts";
import { createCopies } from "./s3/copies.ts";
import { locationOf, newObjectName, type ObjectName, parseLocation } from "./s3/object-name.ts";
import { deleteObject, listObjects } from "./s3/objects.ts";
import { claimOwnerObject, readOwnerObject } from "./s3/owner-object.ts";
import { createS3Reader } from "./s3/read.ts";
import { createS3Upload } from "./s3/upload.ts";
import { emptyTemporary, newTemporaryPath, type StagedFile } from "./staged-file.ts";
import { createStaging } from "./staging.ts";

export interface S3BlobsOptions extends S3Access {
  /** Before every object's name: empty, or ends with a slash. */
  readonly prefix: string;
  /** For uploads that are too large for memory. Used by no other process. */
  readonly spoolFolder: string;
  /** Uploads that need the spool folder are refused below this much free space; undefined: 1 %, at least 256 MiB. */
  readonly minFree: number | undefined;
  /** Milliseconds after which a commit fails: fewer than the grace, after which the sweeper removes blobs without a record. */
  readonly commitWithin: number;
  /** Empty the spool folder: only for the process that has it alone. Without it, opening touches nothing. */
  readonly recover: boolean;
  /** Larger blobs are sent in parts. Default: 64 MiB. */
  readonly partsAbove?: number;
  /** Default: 8 MiB. */
  readonly partBytes?: number;
}

const MEBIBYTE = 1024 * 1024;
/** Milliseconds; less than the timeout of readiness. */
const PROBE_MS = 1500;

/** Blobs in an S3-compatible object store, an object each. On their way there they are in memory, large ones in a file. */
export async function openS3Blobs(options: S3BlobsOptions): Promise<BlobStore> {
  const { prefix, spoolFolder, commitWithin, partsAbove = 64 * MEBIBYTE, partBytes = 8 * MEBIBYTE } = options;
  const s3 = createS3(options);
  const upload = createS3Upload(s3, { partBytes });
  const reader = createS3Reader(s3);
  const freeSpace = createFreeSpace(spoolFolder, options.minFree);
  const nameOf = (key: string, size: number): ObjectName => newObjectName(key, size > partsAbove);
  const objectKeyOf = ({ name }: ObjectName): string => prefix + name;
  const staging = createStaging({
    folder: spoolFolder,
    smallBytes: MEBIBYTE,
    writeFile: (path, source, maxBytes) => writeSpoolFile(path, freeSpace.takeFor(source), maxBytes),
    locationOf: (key, size) => locationOf(nameOf(key, size)),
  });
  const copies = createCopies(s3, { prefix, commitWithin, unreleased: staging.unreleased });

  if (options.recover) await emptyTemporary(spoolFolder);

  const read: BlobStore["read"] = async (location, what) => reader.read(objectKeyOf(nameAt(location)), what);

  return {
    shared: true,
    stage: (source, limit) => translatingFileErrors(staging.stage(source, limit)),
    stageCopy: async (location, original) => copies.stage(objectKeyOf(nameAt(location)), original),
    commit: ({ key }) =>
      copies.commit(key) ??
      translatingFileErrors(
        staging.commit(key, async ({ size, sha256, source }) => {
          const name = nameOf(key, size);
          const sending = { source, size, sha256, until: performance.now() + commitWithin };
          await (name.isInParts ? upload.sendInParts : upload.send)(objectKeyOf(name), sending);
          return locationOf(name);
        }),
      ),
    discard: async ({ key }) => {
      if (!copies.discard(key)) await staging.discard(key);
    },
    release: (keys) => staging.release(keys),
    read,
    async openLocal(location, { size }) {
      const content = await read(location, { size });
      if (content instanceof Uint8Array) return inMemory(content);
      const stream = freeSpace.takeFor(content as ReadableStream<Uint8Array<ArrayBuffer>>);
      return translatingFileErrors(fetchLocal(newTemporaryPath(spoolFolder), nameAt(location).key, stream, size));
    },
    async remove(location) {
      const name = nameAt(location);
      // First: a part that is still on its way can no longer complete the object.
      if (name.isInParts) await upload.abortParts(objectKeyOf(name));
      await deleteObject(s3, objectKeyOf(name));
    },
    list: () => listObjects(s3, prefix, staging.unreleased),
    owner: () => readOwnerObject(s3, prefix),
    claim: (storeId) => claimOwnerObject(s3, prefix, storeId),
    /**
     * It writes nothing: a node without the right to write still reads, in a versioned bucket each probe would leave a
     * version, and a failed upload reports itself.
     */
    async probe() {
      await s3.try(
        (client, { signal }) => client.send(new HeadBucketCommand({ Bucket: s3.bucket }), { abortSignal: signal }),
        { attempt: PROBE_MS, retry: 0 },
      );
      await translatingFileErrors(freeSpace.take(0));
      return { freeBytes: undefined };
    },
    async [Symbol.asyncDispose]() {
      s3[Symbol.dispose]();
    },
  };
}

/** Not synced: nothing is acknowledged before the bytes are in the object store. */
async function writeSpoolFile(path: string, source: AsyncIterable<Uint8Array>, maxBytes: number): Promise<StagedFile> {
  const { fd, ...file } = await writeNewFile(path, source, maxBytes);
  await close(fd);
  return { ...file, synced: Promise.resolve() };
}

function nameAt(location: string): ObjectName {
  const name = parseLocation(location);
  if (name === undefined) throw damaged(`${JSON.stringify(location)} is no location of this store.`);
  return name;
}
