import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openS3Blobs, type S3BlobsOptions } from "../../../src/adapters/blobs/s3.ts";
import type { BlobStore } from "../../../src/ports.ts";
import { contentBytes, patterned, pieces, putBlob, sha256 } from "../../blobs.ts";
import { blobStoreContract } from "../../contracts/blob-store.ts";
import { expectCode } from "../../errors.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";
import { behindCache } from "./behind-cache.ts";
import { BUCKET, type Fault, type S3Request, useMemoryS3 } from "./memory-s3.ts";

const memory = useMemoryS3();
let folder: string;
beforeEach(async () => {
  folder = await newFolder("s3");
});
afterEach(async () => {
  await removeFolder(folder);
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
blobStoreContract("S3 behind a cache", async () => behindCache(await open(), join(folder, "originals")));

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

describe("S3 blob store", () => {
  test("each blob is one object under a generated name that holds only its bytes", async () => {
    await using store = await open();
    const { key } = await putBlob(store, patterned(1000));
    expect([...memory.s3.objects]).toEqual([[`images/${key}`, patterned(1000)]]);
  });

  test("the location of a blob is known before its bytes are sent", async () => {
    await using store = await open({ partsAbove: MEBIBYTE, partBytes: MEBIBYTE });
    for (const size of [10, 2 * MEBIBYTE]) {
      const staged = await stage(store, patterned(size));
      expect(memory.s3.objects.size).toBe(0);
      expect(await store.commit(staged)).toBe(staged.location as string);
      await store.remove(staged.location as string);
    }
  });

  test("a copy is made by the object store: no byte comes or goes", async () => {
    await using store = await open({ prefix: "a b+/ü/" });
    const bytes = patterned(3 * MEBIBYTE);
    const { location } = await putBlob(store, bytes);
    const before = memory.s3.requests.length;
    let sent = 0;
    memory.s3.onRequest = ({ method, headers }) => {
      if (method === "PUT") sent += Number(headers["content-length"] ?? 0);
      return undefined;
    };
    const staged = await store.stageCopy(location, { size: bytes.length, sha256: sha256(bytes) });
    expect(memory.s3.requests).toHaveLength(before);
    await store.commit(staged);
    expect(memory.s3.requests.slice(before)).toEqual([`PUT a b+/ü/${staged.key}`, `HEAD a b+/ü/${staged.key}`]);
    expect(sent).toBe(0);
  });

  test("a copy is tried again, and one that has other bytes is refused", async () => {
    await using store = await open();
    const bytes = patterned(1000);
    const { location } = await putBlob(store, bytes);
    const original = { size: 1000, sha256: sha256(bytes) };
    failFirst(2, "PUT", "unanswered");
    const again = await store.commit(await store.stageCopy(location, original));
    expect(await contentBytes(await store.read(again, { size: 1000 }))).toEqual(bytes);
    failAll("PUT", { status: 403, code: "AccessDenied" });
    await expectCode(store.commit(await store.stageCopy(location, original)), "unavailable");
    memory.s3.onRequest = ({ method }) => (method === "HEAD" ? { headers: { "Content-Length": "7" } } : undefined);
    await expectCode(store.commit(await store.stageCopy(location, original)), "unavailable");
  });

  test("list returns the store's own objects across several pages", async () => {
    await using store = await open();
    await using other = await open({ prefix: "" });
    await putBlob(other, patterned(10));
    memory.s3.objects.set("images/theirs.jpg", patterned(10));
    await Promise.all(Array.from({ length: 45 }, () => putBlob(store, patterned(1))));
    expect((await Array.fromAsync(store.list())).length).toBe(45);
    expect((await Array.fromAsync(other.list())).length).toBe(1);
  });

  test("the spool folder is empty after every outcome of an upload", async () => {
    await using store = await open();
    await putBlob(store, patterned(2 * MEBIBYTE));
    await store.discard(await stage(store, patterned(2 * MEBIBYTE)));
    failAll("PUT", { status: 403, code: "AccessDenied" });
    await expectCode(putBlob(store, patterned(2 * MEBIBYTE)), "unavailable");
    expect(await spooled()).toEqual([]);
  });

  test("opening removes spool files that a crash left, and no foreign files", async () => {
    await mkdir(join(folder, "tmp"));
    await writeFile(join(folder, "tmp", crypto.randomUUID()), "left");
    await writeFile(join(folder, "tmp", "theirs"), "kept");
    await using beside = await open({ recover: false });
    expect(beside.shared).toBe(true);
    expect(await spooled()).toHaveLength(2);
    await (await open())[Symbol.asyncDispose]();
    expect(await spooled()).toEqual(["theirs"]);
  });

  test("large uploads need disk space for the spool; small ones do not", async () => {
    await using store = await open({ minFree: Number.MAX_SAFE_INTEGER });
    await putBlob(store, patterned(1000));
    await expectCode(putBlob(store, patterned(2 * MEBIBYTE)), "insufficient_storage");
    await expectCode(store.probe(), "insufficient_storage");
    expect(await spooled()).toEqual([]);
  });
});

describe("S3 upload", () => {
  test("a request is retried when the answer asks for it, is lost, or never comes", async () => {
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

  test("a request is not retried when the answer is final", async () => {
    await using store = await open();
    failAll("PUT", { status: 403, code: "AccessDenied" });
    await expectCode(putBlob(store, patterned(10)), "unavailable");
    expect(memory.s3.requests).toHaveLength(1);
    failAll("PUT", { status: 507, code: "InsufficientStorage" });
    await expectCode(putBlob(store, patterned(10)), "insufficient_storage");
    expect(memory.s3.requests).toHaveLength(2);
  });

  test("a commit is rejected when the object store stored other bytes", async () => {
    await using store = await open({ partsAbove: MEBIBYTE, partBytes: MEBIBYTE });
    for (const size of [1000, 2 * MEBIBYTE]) {
      failAll("HEAD", { headers: { "Content-Length": String(size - 1) } });
      await expectCode(putBlob(store, patterned(size)), "unavailable");
    }
    failAll("HEAD", { headers: { "x-amz-checksum-sha256": Buffer.alloc(32).toString("base64") } });
    await expectCode(putBlob(store, patterned(1000)), "unavailable");
  });

  test("a request is given up at the deadline, and its late arrival is tolerated", async () => {
    await using store = await open({ commitWithin: 1000 });
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

  test("a multipart upload is aborted when a part fails, and again when the blob is discarded", async () => {
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

  test("a multipart upload whose completion was not acknowledged is found complete", async () => {
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

describe("S3 download", () => {
  test("a failed read is retried and an interrupted one resumes where it stopped", async () => {
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

  test("a read survives any number of interruptions as long as it makes progress", async () => {
    await using store = await open();
    const bytes = patterned(9 * MEBIBYTE);
    const { location } = await putBlob(store, bytes);
    failAll("GET", { cutAfter: 1.5 * MEBIBYTE });
    const content = await contentBytes(await store.read(location, { size: bytes.byteLength }));
    expect(sha256(content)).toBe(sha256(bytes));
  });

  test("a read that is always interrupted fails instead of ending early", async () => {
    await using store = await open({ retryWithin: 300 });
    const large = await putBlob(store, patterned(3 * MEBIBYTE));
    failAll("GET", { cutAfter: 1000 });
    const content = await store.read(large.location, { size: 3 * MEBIBYTE });
    await expectCode(contentBytes(content), "unavailable");
    const small = await putBlob(store, patterned(5000));
    await expectCode(store.read(small.location, { size: 5000 }), "unavailable");
  });

  test("a read rejects a wrong range or the length of another object", async () => {
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

  test("openLocal removes its file when it is disposed of", async () => {
    await using store = await open();
    const { location } = await putBlob(store, patterned(2 * MEBIBYTE));
    const local = await store.openLocal(location, { size: 2 * MEBIBYTE });
    expect(await spooled()).toHaveLength(1);
    await local[Symbol.asyncDispose]();
    expect(await spooled()).toEqual([]);
  });

  test("openLocal rejects bytes that do not have the digest of their key", async () => {
    await using store = await open();
    const { location } = await putBlob(store, patterned(2 * MEBIBYTE));
    memory.s3.objects.set(`images/${location.slice(3)}`, new Uint8Array(2 * MEBIBYTE));
    await expectCode(store.openLocal(location, { size: 2 * MEBIBYTE }), "blob_damaged");
    expect(await spooled()).toEqual([]);
  });

  test("the download stops when the reader has left", async () => {
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

describe("S3 outage", () => {
  test("every call is unavailable during an outage and succeeds after it", async () => {
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

  test("an address without a listener is unavailable", async () => {
    const { endpoint } = memory.s3;
    await memory.s3[Symbol.asyncDispose]();
    await using store = await open({ endpoint, retryWithin: 300 });
    await expectCode(store.probe(), "unavailable");
    await expectCode(store.read(`s3:${"a".repeat(64)}.${"b".repeat(16)}`, { size: 10 }), "unavailable");
  });

  test("a missing bucket is unavailable, and its blobs are not reported as damaged", async () => {
    await using store = await open({ bucket: "elsewhere" });
    await expectCode(store.read(`s3:${"a".repeat(64)}.${"b".repeat(16)}`, { size: 10 }), "unavailable");
  });

  test("closing the store does not wait for pending requests", async () => {
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
