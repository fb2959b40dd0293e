import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openOriginalsCache } from "../../src/adapters/blobs/originals-cache.ts";
import { openS3Blobs, type S3BlobsOptions } from "../../src/adapters/blobs/s3.ts";
import {
  blobStoreContract,
  contentBytes,
  expectCode,
  patterned,
  pieces,
  putBlob,
  sha256,
} from "../contracts/blob-store.ts";
import { type S3Server, s3IsMissing, startS3 } from "./s3-server.ts";
import { startProxy } from "./tcp-proxy.ts";

const MEBIBYTE = 1024 * 1024;
/** S3 takes no smaller part, but for the last one. */
const LEAST_PART = 5 * MEBIBYTE;

if (!s3IsMissing()) {
  let s3: S3Server;
  let bucket: string;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "image-store-s3-test-"));
    s3 = await startS3();
    Object.assign(process.env, s3.env);
    bucket = await s3.createBucket();
  });
  afterAll(async () => {
    await s3[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  const open = (options: Partial<S3BlobsOptions> = {}) =>
    openS3Blobs({
      bucket,
      prefix: `${crypto.randomUUID()}/`,
      endpoint: s3.endpoint,
      region: s3.region,
      forcePathStyle: true,
      spoolFolder: join(folder, crypto.randomUUID()),
      minFree: 0,
      commitWithin: 60_000,
      recover: true,
      ...options,
    });

  blobStoreContract("a real object store", () => open());
  blobStoreContract("a real object store, in parts", () => open({ partsAbove: MEBIBYTE, partBytes: LEAST_PART }));
  blobStoreContract("a real object store behind a cache", async () => {
    const blobs = await open();
    const cacheFolder = join(folder, crypto.randomUUID());
    const options = { folder: cacheFolder, maxBytes: 64 * MEBIBYTE, minFree: 0, memoryBytes: MEBIBYTE };
    const cached = await openOriginalsCache(blobs, options);
    return {
      ...cached,
      async [Symbol.asyncDispose]() {
        await cached[Symbol.asyncDispose]();
        await blobs[Symbol.asyncDispose]();
      },
    };
  });

  describe("a real object store", () => {
    test("takes 70 MB in parts, as it is configured", async () => {
      await using store = await open();
      const size = 70_000_000;
      const { location } = await putBlob(store, patterned(size));
      expect(location).toEndWith(".parts");
      expect(sha256(await contentBytes(await store.read(location, { size })))).toBe(sha256(patterned(size)));
      await store.remove(location);
      await expectCode(store.read(location, { size }), "blob_damaged");
    });

    test("may be cut off in the middle of whatever it gives and takes", async () => {
      await using proxy = await startProxy(s3.port);
      await using store = await open({ endpoint: proxy.through(s3.endpoint).replace(/\/$/, "") });
      const size = 12 * MEBIBYTE;
      const { location } = await putBlob(store, patterned(size));
      for (let cut = 0; cut < 3; cut++) {
        const content = await store.read(location, { size });
        const reader = (content as ReadableStream<Uint8Array>).getReader();
        const hasher = new Bun.CryptoHasher("sha256");
        for (let next = await reader.read(), count = 0; !next.done; next = await reader.read(), count++) {
          hasher.update(next.value);
          if (count === 10) proxy.cut();
        }
        expect(hasher.digest("hex")).toBe(sha256(patterned(size)));
      }
      const staged = await store.stage(pieces(patterned(size), 65_536), { maxBytes: size });
      const committed = store.commit(staged);
      await Bun.sleep(10);
      proxy.cut();
      expect(sha256(await contentBytes(await store.read(await committed, { size })))).toBe(sha256(patterned(size)));
    });

    test("that stands still is given up, and what was held back comes late and is removed", async () => {
      await using proxy = await startProxy(s3.port);
      const endpoint = proxy.through(s3.endpoint).replace(/\/$/, "");
      const prefix = "late/";
      await using store = await open({ endpoint, prefix, commitWithin: 500 });
      await using direct = await open({ prefix });
      await store.probe();
      const staged = await store.stage(pieces(patterned(1000), 1000), { maxBytes: 1000 });
      proxy.pause();
      await expectCode(store.commit(staged), "unavailable");
      proxy.resume();
      await direct.remove(staged.location as string);
      await Bun.sleep(200);
      await direct.remove(staged.location as string);
      expect(await Array.fromAsync(direct.list())).toEqual([]);
    });

    test("is there again after a restart, without one of ours", async () => {
      await using store = await open({ retryWithin: 500 });
      const { location } = await putBlob(store, patterned(1000));
      await s3.kill();
      await expectCode(store.probe(), "unavailable");
      await expectCode(store.read(location, { size: 1000 }), "unavailable");
      await s3.start();
      expect(await contentBytes(await store.read(location, { size: 1000 }))).toEqual(patterned(1000));
    });
  });
}
