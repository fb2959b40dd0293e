import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openOriginalsCache } from "../../src/adapters/blobs/originals-cache.ts";
import { openS3Blobs, type S3BlobsOptions } from "../../src/adapters/blobs/s3.ts";
import type { BlobStore } from "../../src/ports.ts";
import { blobStoreContract, contentBytes, expectCode, patterned, pieces, putBlob, sha256 } from "./blob-store.ts";
import { BUCKET, type Fault, type S3Request, useMemoryS3 } from "./memory-s3.ts";

const memory = useMemoryS3();
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "image-store-s3-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const MEBIBYTE = 1024 * 1024;

const open = (options: Partial<S3BlobsOptions> = {}) =>
  openS3Blobs({
    bucket: BUCKET,
    prefix: "images/",
    endpoint: memory.s3.endpoint,
    region: undefined,
    forcePathStyle: true,
    spoolFolder: join(folder, "tmp"),
    minFree: 0,
    commitWithin: 60_000,
    recover: true,
    ...options,
  });

blobStoreContract("S3", () => open());
blobStoreContract("S3, in parts", () => open({ partsAbove: MEBIBYTE, partBytes: MEBIBYTE }));
blobStoreContract("S3 behind a cache", async () => {
  const blobs = await open();
  const cached = await openOriginalsCache(blobs, {
    folder: join(folder, "originals"),
    maxBytes: 64 * MEBIBYTE,
    minFree: 0,
    memoryBytes: MEBIBYTE,
  });
  return {
    ...cached,
    async [Symbol.asyncDispose]() {
      await cached[Symbol.asyncDispose]();
      await blobs[Symbol.asyncDispose]();
    },
  };
});

const spooled = () => readdir(join(folder, "tmp"));
const stage = (store: BlobStore, bytes: Uint8Array) =>
  store.stage(pieces(bytes, 65_536), { maxBytes: bytes.byteLength });

/** The first so many requests of that method fare so. */
function failFirst(count: number, method: string, fault: Fault): void {
  let left = count;
  memory.s3.onRequest = (request) => (request.method === method && left-- > 0 ? fault : undefined);
}
const refusePart = ({ method, query }: S3Request): Fault | undefined =>
  method === "PUT" && query.get("partNumber") === "2" ? { status: 403, code: "AccessDenied" } : undefined;
const failAll = (method: string, fault: Fault) => failFirst(Infinity, method, fault);

describe("an object store", () => {
  test("has an object of a name of ours for each blob, and nothing but bytes", async () => {
    await using store = await open();
    const { key } = await putBlob(store, patterned(1000));
    expect([...memory.s3.objects]).toEqual([[`images/${key}`, patterned(1000)]]);
  });

  test("is told where a blob will be before it is sent", async () => {
    await using store = await open({ partsAbove: MEBIBYTE, partBytes: MEBIBYTE });
    for (const size of [10, 2 * MEBIBYTE]) {
      const staged = await stage(store, patterned(size));
      expect(memory.s3.objects.size).toBe(0);
      expect(await store.commit(staged)).toBe(staged.location as string);
      await store.remove(staged.location as string);
    }
  });

  test("lists what is its own, over several pages", async () => {
    await using store = await open();
    await using other = await open({ prefix: "" });
    await putBlob(other, patterned(10));
    memory.s3.objects.set("images/theirs.jpg", patterned(10));
    await Promise.all(Array.from({ length: 45 }, () => putBlob(store, patterned(1))));
    expect((await Array.fromAsync(store.list())).length).toBe(45);
    expect((await Array.fromAsync(other.list())).length).toBe(1);
  });

  test("has nothing in the spool folder, however an upload ends", async () => {
    await using store = await open();
    await putBlob(store, patterned(2 * MEBIBYTE));
    await store.discard(await stage(store, patterned(2 * MEBIBYTE)));
    failAll("PUT", { status: 403, code: "AccessDenied" });
    await expectCode(putBlob(store, patterned(2 * MEBIBYTE)), "unavailable");
    expect(await spooled()).toEqual([]);
  });

  test("what a crash left in the spool folder goes with the next server, and what is others' stays", async () => {
    await mkdir(join(folder, "tmp"));
    await writeFile(join(folder, "tmp", crypto.randomUUID()), "left");
    await writeFile(join(folder, "tmp", "theirs"), "kept");
    await using beside = await open({ recover: false });
    expect(beside.shared).toBe(true);
    expect(await spooled()).toHaveLength(2);
    await (await open())[Symbol.asyncDispose]();
    expect(await spooled()).toEqual(["theirs"]);
  });

  test("large uploads need room for the spool, small ones none", async () => {
    await using store = await open({ minFree: Number.MAX_SAFE_INTEGER });
    await putBlob(store, patterned(1000));
    await expectCode(putBlob(store, patterned(2 * MEBIBYTE)), "insufficient_storage");
    await expectCode(store.probe(), "insufficient_storage");
    expect(await spooled()).toEqual([]);
  });
});

describe("what an object store is sent", () => {
  test("is sent again when the answer says so, is lost, or there is none", async () => {
    const faults: Fault[] = [
      { status: 500, code: "InternalError" },
      { status: 503, code: "SlowDown" },
      { status: 400, code: "BadDigest" },
      "unanswered",
    ];
    await using store = await open({ partsAbove: MEBIBYTE, partBytes: MEBIBYTE });
    for (const size of [1000, MEBIBYTE, 2 * MEBIBYTE + 1])
      for (const fault of faults) {
        failFirst(2, "PUT", fault);
        const { location } = await putBlob(store, patterned(size));
        memory.s3.onRequest = () => undefined;
        expect(sha256(await contentBytes(await store.read(location, { size })))).toBe(sha256(patterned(size)));
      }
    expect(memory.s3.uploads.size).toBe(0);
  });

  test("is not sent again when the answer is final", async () => {
    await using store = await open();
    failAll("PUT", { status: 403, code: "AccessDenied" });
    await expectCode(putBlob(store, patterned(10)), "unavailable");
    expect(memory.s3.requests).toHaveLength(1);
    failAll("PUT", { status: 507, code: "InsufficientStorage" });
    await expectCode(putBlob(store, patterned(10)), "insufficient_storage");
    expect(memory.s3.requests).toHaveLength(2);
  });

  test("is looked at: a store that kept other bytes is not believed", async () => {
    await using store = await open({ partsAbove: MEBIBYTE, partBytes: MEBIBYTE });
    for (const size of [1000, 2 * MEBIBYTE]) {
      failAll("HEAD", { headers: { "Content-Length": String(size - 1) } });
      await expectCode(putBlob(store, patterned(size)), "unavailable");
    }
    failAll("HEAD", { headers: { "x-amz-checksum-sha256": Buffer.alloc(32).toString("base64") } });
    await expectCode(putBlob(store, patterned(1000)), "unavailable");
  });

  test("is given up in time, and may arrive later all the same", async () => {
    await using store = await open({ commitWithin: 200 });
    const held = Promise.withResolvers<void>();
    memory.s3.onRequest = async () => {
      await held.promise;
      return undefined;
    };
    const staged = await stage(store, patterned(10));
    await expectCode(store.commit(staged), "unavailable");
    expect(memory.s3.objects.size).toBe(0);
    held.resolve();
    while (memory.s3.objects.size === 0) await Bun.sleep(1);
    memory.s3.onRequest = () => undefined;
    await store.remove(staged.location as string);
    expect(memory.s3.objects.size).toBe(0);
  });

  test("in parts is aborted when one of them fails, and again with the blob", async () => {
    await using store = await open({ partsAbove: MEBIBYTE, partBytes: MEBIBYTE });
    memory.s3.onRequest = refusePart;
    await expectCode(putBlob(store, patterned(3 * MEBIBYTE)), "unavailable");
    expect(memory.s3.uploads.size).toBe(0);

    memory.s3.onRequest = (request) =>
      request.method === "DELETE" ? { status: 403, code: "AccessDenied" } : refusePart(request);
    const staged = await stage(store, patterned(3 * MEBIBYTE));
    await expectCode(store.commit(staged), "unavailable");
    expect(memory.s3.uploads.size).toBe(1);
    memory.s3.onRequest = () => undefined;
    await store.remove(staged.location as string);
    expect(memory.s3.uploads.size).toBe(0);
  });

  test("in parts is there when the answer to its completion was lost", async () => {
    await using store = await open({ partsAbove: MEBIBYTE, partBytes: MEBIBYTE });
    let lost = 0;
    memory.s3.onRequest = ({ method, query }) =>
      method === "POST" && query.has("uploadId") && lost++ === 0 ? "unanswered" : undefined;
    const { location } = await putBlob(store, patterned(2 * MEBIBYTE));
    expect(lost).toBeGreaterThan(1);
    const content = await store.read(location, { size: 2 * MEBIBYTE });
    expect(sha256(await contentBytes(content))).toBe(sha256(patterned(2 * MEBIBYTE)));
  });
});

describe("what an object store gives", () => {
  test("is asked for again when it fails, and taken up where it was cut", async () => {
    await using store = await open();
    for (const size of [100_000, 3 * MEBIBYTE]) {
      const { location } = await putBlob(store, patterned(size));
      for (const fault of [{ status: 503, code: "SlowDown" }, "unanswered", { cutAfter: 70_000 }] as const)
        for (const range of [
          { start: 0, end: size },
          { start: 10, end: size - 10 },
        ]) {
          failFirst(2, "GET", fault);
          const content = await contentBytes(await store.read(location, { size, range }));
          expect(sha256(content)).toBe(sha256(patterned(size).subarray(range.start, range.end)));
        }
    }
  });

  test("goes on after any number of cuts, when much has come between them", async () => {
    await using store = await open();
    const bytes = patterned(9 * MEBIBYTE);
    const { location } = await putBlob(store, bytes);
    failAll("GET", { cutAfter: 1.5 * MEBIBYTE });
    const content = await contentBytes(await store.read(location, { size: bytes.byteLength }));
    expect(sha256(content)).toBe(sha256(bytes));
  });

  test("that is always cut short is an error, never a shorter content", async () => {
    await using store = await open({ retryWithin: 300 });
    const large = await putBlob(store, patterned(3 * MEBIBYTE));
    failAll("GET", { cutAfter: 1000 });
    const content = await store.read(large.location, { size: 3 * MEBIBYTE });
    await expectCode(contentBytes(content), "unavailable");
    const small = await putBlob(store, patterned(5000));
    await expectCode(store.read(small.location, { size: 5000 }), "unavailable");
  });

  test("is never another part or another object's length", async () => {
    await using store = await open();
    const { location } = await putBlob(store, patterned(5000));
    const range = { start: 10, end: 20 };
    failAll("GET", { content: patterned(5001) });
    await expectCode(store.read(location, { size: 5000 }), "blob_damaged");
    failAll("GET", { headers: { "Content-Range": "bytes 10-19/5001" } });
    await expectCode(store.read(location, { size: 5000, range }), "blob_damaged");
    for (const other of ["bytes 11-19/5000", "bytes 10-20/5000", "nonsense"]) {
      failAll("GET", { headers: { "Content-Range": other } });
      await expectCode(store.read(location, { size: 5000, range }), "unavailable");
    }
    memory.s3.objects.set(`images/${location.slice(3)}`, patterned(5));
    memory.s3.onRequest = () => undefined;
    await expectCode(store.read(location, { size: 5000, range }), "blob_damaged");
  });

  test("is lent only when it has its digest", async () => {
    await using store = await open();
    const { location } = await putBlob(store, patterned(2 * MEBIBYTE));
    memory.s3.objects.set(`images/${location.slice(3)}`, new Uint8Array(2 * MEBIBYTE));
    await expectCode(
      store.lend(location, { size: 2 * MEBIBYTE }, async () => {}),
      "blob_damaged",
    );
    expect(await spooled()).toEqual([]);
  });

  test("is no longer sent when the reader has left", async () => {
    await using store = await open();
    const { location } = await putBlob(store, patterned(8 * MEBIBYTE));
    const content = await store.read(location, { size: 8 * MEBIBYTE });
    const reader = (content as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    await reader.cancel();
    const asked = memory.s3.requests.length;
    await Bun.sleep(50);
    expect(memory.s3.requests).toHaveLength(asked);
  });
});

describe("an object store that is away", () => {
  test("is unavailable for everything, and there again without more ado", async () => {
    await using store = await open();
    const { location } = await putBlob(store, patterned(10));
    failAll("GET", { status: 403, code: "AccessDenied" });
    await expectCode(store.read(location, { size: 10 }), "unavailable");
    await expectCode(Array.fromAsync(store.list()), "unavailable");
    failAll("HEAD", { status: 500, code: "InternalError" });
    await expectCode(store.probe(), "unavailable");
    failAll("DELETE", { status: 403, code: "AccessDenied" });
    await expectCode(store.remove(location), "unavailable");
    memory.s3.onRequest = () => undefined;
    expect(await contentBytes(await store.read(location, { size: 10 }))).toEqual(patterned(10));
    await store.probe();
  });

  test("with nobody at its address is unavailable", async () => {
    const { endpoint } = memory.s3;
    await memory.s3[Symbol.asyncDispose]();
    await using store = await open({ endpoint, retryWithin: 300 });
    await expectCode(store.probe(), "unavailable");
    await expectCode(store.read(`s3:${"a".repeat(64)}.${"b".repeat(16)}`, { size: 10 }), "unavailable");
  });

  test("without its bucket is unavailable, and its blobs are not called damaged", async () => {
    await using store = await open({ bucket: "elsewhere" });
    await expectCode(store.read(`s3:${"a".repeat(64)}.${"b".repeat(16)}`, { size: 10 }), "unavailable");
  });

  test("no longer waits for it when it is closed", async () => {
    const store = await open();
    const { location } = await putBlob(store, patterned(10));
    const asked = Promise.withResolvers<void>();
    const never = Promise.withResolvers<undefined>();
    memory.s3.onRequest = () => {
      asked.resolve();
      return never.promise;
    };
    const reading = expectCode(store.read(location, { size: 10 }), "unavailable");
    await asked.promise;
    await store[Symbol.asyncDispose]();
    await reading;
    never.resolve(undefined);
  });
});
