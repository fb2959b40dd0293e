import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { openS3Blobs, type S3BlobsOptions } from "../../src/adapters/blobs/s3.ts";
import { behindCache } from "../adapters/blobs/behind-cache.ts";
import { contentBytes, patterned, pieces, putBlob, sha256 } from "../blobs.ts";
import { blobStoreContract } from "../contracts/blob-store.ts";
import { expectCode } from "../errors.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { until } from "../waiting.ts";
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
    folder = await newFolder("s3-test");
    s3 = await startS3();
    Object.assign(process.env, s3.env);
    bucket = await s3.createBucket();
  });
  afterAll(async () => {
    await s3[Symbol.asyncDispose]();
    await removeFolder(folder);
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

  blobStoreContract("the S3 blob store on a real server", () => open());
  blobStoreContract("a real object store, in parts", () => open({ partsAbove: MEBIBYTE, partBytes: LEAST_PART }));
  blobStoreContract("a real object store behind a cache", async () =>
    behindCache(await open(), join(folder, crypto.randomUUID())),
  );

  describe("the S3 blob store on a real server", () => {
    test("relies on If-None-Match: of 16 concurrent conditional writes of one object, one succeeds", async () => {
      const client = new S3Client({ endpoint: s3.endpoint, region: s3.region, forcePathStyle: true });
      const write = (writer: number) =>
        client.send(new PutObjectCommand({ Bucket: bucket, Key: "claimed", Body: `${writer}`, IfNoneMatch: "*" })).then(
          () => "written",
          (error: unknown) => (error as Error).name,
        );
      const outcomes = await Promise.all(Array.from({ length: 16 }, (_, writer) => write(writer)));
      expect(outcomes.filter((outcome) => outcome === "written")).toHaveLength(1);
      expect(await write(16)).toBe("PreconditionFailed");
      client.destroy();
    });

    test("uploads 70 MB in parts", async () => {
      await using store = await open();
      const size = 70_000_000;
      const { location } = await putBlob(store, patterned(size));
      expect(location).toEndWith(".parts");
      expect(sha256(await contentBytes(await store.read(location, { size })))).toBe(sha256(patterned(size)));
      await store.remove(location);
      await expectCode(store.read(location, { size }), "blob_damaged");
    });

    test("survives connections cut anywhere in requests and answers", async () => {
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

    test("gives up a stalled request, and removes bytes that arrive late", async () => {
      await using proxy = await startProxy(s3.port);
      const endpoint = proxy.through(s3.endpoint).replace(/\/$/, "");
      const prefix = "late/";
      await using store = await open({ endpoint, prefix, commitWithin: 500 });
      await using direct = await open({ prefix });
      await store.probe();
      const staged = await store.stage(pieces(patterned(1000), 1000), { maxBytes: 1000 });
      proxy.pause();
      await expectCode(store.commit(staged), "unavailable");
      await direct.remove(staged.location as string);
      proxy.resume();
      await until(async () => (await Array.fromAsync(direct.list())).length === 1);
      await direct.remove(staged.location as string);
      expect(await Array.fromAsync(direct.list())).toEqual([]);
    });

    test("recovers from a server restart without restarting itself", async () => {
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
