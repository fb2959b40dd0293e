import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DeleteObjectCommand, PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { type Front, startFront } from "../../client/test/front.ts";
import { cliOf, deepTreeOf, documentsOf, type Ran } from "../cli/remote/run-remote.ts";
import { startStore, type TestStore } from "../http/harness.ts";
import { newPng, sha256 } from "../http/image-fixtures.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { createS3Client, type S3Server, s3IsMissing, startS3 } from "./s3-server.ts";
import { startProxy } from "./tcp-proxy.ts";

const MEBIBYTE = 1024 * 1024;
const FIELDS = {
  title: "The lake",
  description: "At dawn\nin May",
  tags: ["lake", "dawn"],
  metadata: { a: "1", camera: "X100" },
  focalPoint: { x: 0.25, y: 0.5 },
};
const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
const totalsOf = (ran: Ran) => documentsOf(ran).at(-1);
const failuresOf = (ran: Ran) => documentsOf(ran).filter(({ action }) => action === "failed");

if (!s3IsMissing()) {
  let s3: S3Server;
  let client: S3Client;
  let store: TestStore;
  let front: Front;
  let home: string;
  let bucket: string;
  let cli: ReturnType<typeof cliOf>;
  beforeAll(async () => {
    s3 = await startS3();
    Object.assign(process.env, s3.env);
    client = createS3Client(s3);
  });
  afterAll(async () => {
    client.destroy();
    await s3[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    store = await startStore();
    front = startFront(store.url);
    home = await newFolder("import-s3");
    bucket = await s3.createBucket();
    cli = cliOf(front.url, home);
  });
  afterEach(async () => {
    await front[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
    await removeFolder(home);
  });

  const put = (key: string, content: string | Uint8Array) =>
    client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: Buffer.from(content) }));
  const putAll = (objects: Readonly<Record<string, string | Uint8Array>>) =>
    Promise.all(Object.entries(objects).map(([key, content]) => put(key, content)));
  const importIt = (prefix = "", ...options: readonly string[]) =>
    cli("import", s3.blobsUrl(bucket, prefix), ...options);
  /** Bodies of images that went to the store during the work. */
  async function uploadsOf(work: () => Promise<unknown>): Promise<number> {
    const before = front.seen.length;
    await work();
    return front.seen.slice(before).filter((request) => request.startsWith("PUT ")).length;
  }

  describe("image-store import s3://BUCKET/PREFIX", () => {
    test("of an export that was put into a bucket gives the same albums, fields and bytes", async () => {
      const tree: Readonly<Record<string, string | Uint8Array>> = {
        "top.png": newPng(),
        "alps/lake é + &<%20>.png": newPng(),
        "alps/lake é + &<%20>.png.json": json(FIELDS),
        "alps/.album.json": json({ title: "The Alps", metadata: { year: "2026" }, visibility: "public" }),
        "alps/large.png": newPng(3 * MEBIBYTE),
        "alps/deep/er/x.png": newPng(),
        "alps/deep/er/x.png.json": json({ tags: ["one"] }),
        "alps.png": newPng(),
        "named/.album.json": json({ name: "Another name", description: "It has another name." }),
        "named/y.png": newPng(),
      };
      const photos = join(home, "in", "photos");
      for (const [path, content] of Object.entries(tree)) {
        await mkdir(dirname(join(photos, path)), { recursive: true });
        await Bun.write(join(photos, path), content);
      }
      expect(await cli("import", photos)).toMatchObject({ code: 0 });
      const exported = join(home, "exported", "photos");
      expect(await cli("export", "--all", exported)).toMatchObject({ code: 0 });
      const paths = Object.keys(await deepTreeOf(exported));
      expect(paths.toSorted()).toEqual(Object.keys(tree).toSorted());
      for (const path of paths) await put(`some/photos/${path}`, await Bun.file(join(exported, path)).bytes());
      await put("elsewhere/z.png", newPng());

      await using other = await startStore();
      const otherCli = cliOf(other.url, home);
      const imported = await otherCli("import", s3.blobsUrl(bucket, "some/photos"), "--json");
      expect({ ...totalsOf(imported), err: imported.err }).toMatchObject({ sent: 6, failed: 0, skipped: 0 });
      expect(documentsOf(await otherCli("ls", "--json")).map(({ name }) => name)).toEqual([
        "Another name",
        "alps",
        "alps - deep - er",
        "photos",
      ]);
      expect(await otherCli("export", "--all", join(home, "again", "photos"))).toMatchObject({ code: 0, err: "" });
      expect(await deepTreeOf(join(home, "again", "photos"))).toEqual(await deepTreeOf(exported));
    });

    test("sends no byte in a second run, nor after the memory of the first is lost, and then only what has changed", async () => {
      await putAll({
        "a/small.png": newPng(),
        "a/medium.png": newPng(3 * MEBIBYTE),
        "a/large.png": newPng(17 * MEBIBYTE),
        "a/small.png.json": json({ title: "One" }),
        "a/notes.txt": "not an image",
        "top.png": newPng(),
      });
      const sent = await importIt("", "--json");
      expect(totalsOf(sent)).toMatchObject({ sent: 4, skipped: 1, failed: 0 });
      expect(sent.err).toContain(`s3://${bucket}/a/notes.txt: skipped, it is not an image\n`);
      expect(documentsOf(await cli("stat", "a/small.png", "--json"))).toMatchObject([{ title: "One" }]);
      const again = async () =>
        expect(totalsOf(await importIt("", "--json"))).toMatchObject({ unchanged: 4, sent: 0, skipped: 1, bytes: 0 });
      // With the proxy in between, an object that is read would be seen.
      let answered = 0;
      await using proxy = await startProxy(s3.port, {
        onData: (direction, chunk) => void (answered += direction === "toClient" ? chunk.byteLength : 0),
      });
      expect(await uploadsOf(again)).toBe(0);
      await rm(join(home, ".cache"), { recursive: true });
      expect(await uploadsOf(again)).toBe(0);
      const through = s3.blobsUrl(bucket, "", proxy.through(s3.endpoint).replace(/\/$/, ""));
      expect(totalsOf(await cli("import", through, "--json"))).toMatchObject({ unchanged: 4 });
      expect(answered).toBeGreaterThan(17 * MEBIBYTE);
      answered = 0;
      expect(totalsOf(await cli("import", through, "--json"))).toMatchObject({ unchanged: 4, bytes: 0 });
      expect(answered).toBeGreaterThan(0);
      expect(answered).toBeLessThan(MEBIBYTE);

      const changed = newPng();
      await putAll({ "a/small.png": changed, "a/new.png": newPng(), "a/small.png.json": json({ title: "Two" }) });
      expect((await importIt("", "--dry-run")).out).toContain(`s3://${bucket}/a/new.png would be sent\n`);
      expect(totalsOf(await importIt("", "--json"))).toMatchObject({ sent: 2, unchanged: 3 });
      expect(documentsOf(await cli("stat", "a/small.png", "--json"))).toMatchObject([
        { title: "Two", sha256: sha256(changed) },
      ]);
      await put("a/small.png.json", json({ title: "Three" }));
      expect(totalsOf(await importIt("", "--json"))).toMatchObject({ changed: 1, unchanged: 4, bytes: 0 });
      expect(documentsOf(await cli("stat", "a/small.png", "--json"))).toMatchObject([{ title: "Three" }]);
    });

    test("sends no byte that the store has in another album", async () => {
      const [one, large] = [newPng(), newPng(17 * MEBIBYTE)];
      await putAll({ "one/a.png": one, "one/large.png": large });
      expect(totalsOf(await importIt("one", "--json"))).toMatchObject({ sent: 2 });
      await putAll({ "two/a.png": one, "two/large.png": large });
      expect(await uploadsOf(async () => expect(await importIt("two")).toMatchObject({ code: 0 }))).toBe(0);
      expect(documentsOf(await cli("ls", "two", "--json"))).toMatchObject([
        { name: "a.png", sha256: sha256(one) },
        { name: "large.png", sha256: sha256(large) },
      ]);
    });

    test("with --dry-run says what would be sent, and makes no album", async () => {
      await putAll({ "a/one.png": newPng(), "a/notes.txt": "not an image" });
      const ran = await importIt("", "--dry-run", "--json");
      expect(totalsOf(ran)).toMatchObject({ sent: 1, skipped: 1, failed: 0 });
      expect(documentsOf(await cli("ls", "--json"))).toEqual([]);
    });

    test("makes no album of keys without images, nor of the empty objects that stand for folders", async () => {
      await putAll({ "notes/a.txt": "not an image", "notes/empty.png": "", "folder/": "", "a/one.png": newPng() });
      expect(totalsOf(await importIt("", "--json"))).toMatchObject({ sent: 1, skipped: 2, failed: 0 });
      expect(documentsOf(await cli("ls", "--json")).map(({ name }) => name)).toEqual(["a"]);
    });

    test("waits until its messages are read, however many objects it skips", async () => {
      const keys = Array.from({ length: 400 }, (_, number) => `notes/${number}.txt`);
      for (let start = 0; start < keys.length; start += 50)
        await Promise.all(keys.slice(start, start + 50).map((key) => put(key, "")));
      let [unread, most, all] = [0, 0, 0];
      const reading = cliOf(store.url, home, {
        err: () => {
          unread += 1;
          all += 1;
          most = Math.max(most, unread);
        },
        async printed() {
          await Bun.sleep(1);
          unread = 0;
        },
      });
      expect(await reading("import", s3.blobsUrl(bucket))).toMatchObject({ code: 0 });
      expect(all).toBe(keys.length);
      expect(most).toBeLessThan(keys.length / 2);
    });

    test("imports keys of more than one page of the listing", async () => {
      const [image, keys] = [newPng(), Array.from({ length: 1100 }, (_, number) => `many/${number}.png`)];
      for (let start = 0; start < keys.length; start += 50)
        await Promise.all(keys.slice(start, start + 50).map((key) => put(key, image)));
      expect(totalsOf(await importIt("", "--json"))).toMatchObject({ sent: 1100, failed: 0 });
      const names = documentsOf(await cli("ls", "many", "--json")).map(({ name }) => `many/${String(name)}`);
      expect(names.toSorted()).toEqual(keys.toSorted());
    });

    test("names each key that it cannot take, imports the rest, and exits with 1", async () => {
      const truncated = newPng().subarray(0, 20);
      await putAll({
        "bad/a.png": newPng(),
        "bad/a.png.json": "{",
        "bad/b.png": newPng(),
        "bad/c.png": newPng(),
        "bad/c.png.json": json({ tags: "no list" }),
        "bad/broken.png": truncated,
        "bad/\u202egnp.exe": newPng(),
        "x/y/a.png": newPng(),
        "x - y/a.png": newPng(),
      });
      const ran = await importIt("", "--json");
      expect(ran.code).toBe(1);
      const reasons = Object.fromEntries(failuresOf(ran).map(({ name, reason }) => [name, reason]));
      expect(reasons).toEqual({
        [`s3://${bucket}/bad/a.png`]: `s3://${bucket}/bad/a.png.json is not a JSON object`,
        [`s3://${bucket}/bad/c.png`]: expect.stringContaining("tags"),
        [`s3://${bucket}/bad/broken.png`]: expect.any(String),
        [`s3://${bucket}/bad/\u202egnp.exe`]: "A name must not contain characters that control text direction.",
        [`s3://${bucket}/x/y/`]: `its album x - y is that of s3://${bucket}/x - y/; give it another name in .album.json`,
      });
      expect(documentsOf(await cli("ls", "bad", "--json")).map(({ name }) => name)).toEqual(["b.png", "c.png"]);
    });

    test("imports one of two keys that are the same name in Unicode normal form C, and names the other", async () => {
      await putAll({ "a/\u00e9.png": newPng(), "a/e\u0301.png": newPng() });
      const ran = await importIt("", "--json");
      expect(failuresOf(ran).map(({ reason }) => reason)).toEqual([
        "another key has the same name in Unicode normal form C",
      ]);
      expect(documentsOf(await cli("ls", "a", "--json"))).toMatchObject([{ name: "\u00e9.png" }]);
    });

    test("says which object vanished or changed after it was listed, and imports the rest", async () => {
      const kept = newPng(17 * MEBIBYTE);
      await putAll({
        "a/.album.json": json({ title: "Changing" }),
        "a/changed.png": newPng(),
        "a/vanished.png": newPng(),
        "a/large.png": newPng(17 * MEBIBYTE),
        "a/kept.png": kept,
      });
      // The listing is complete when the album is made.
      await using gate = startGate("/v1/albums", async () => {
        await putAll({ "a/changed.png": newPng(), "a/large.png": newPng(17 * MEBIBYTE) });
        await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: "a/vanished.png" }));
      });
      const ran = await cliOf(gate.url, home)("import", s3.blobsUrl(bucket), "--json");
      expect(ran.code).toBe(1);
      expect(Object.fromEntries(failuresOf(ran).map(({ name, reason }) => [name, reason]))).toEqual({
        [`s3://${bucket}/a/changed.png`]: "it changed after it was listed",
        [`s3://${bucket}/a/large.png`]: "it changed after it was listed",
        [`s3://${bucket}/a/vanished.png`]: "it is no longer in the bucket",
      });
      expect(documentsOf(await cli("ls", "a", "--json"))).toMatchObject([{ name: "kept.png", sha256: sha256(kept) }]);
      expect(totalsOf(await importIt("", "--json"))).toMatchObject({ sent: 2, unchanged: 1, failed: 0 });
    });

    test("stores nothing of a large object that changes between its two readings", async () => {
      await put("a/large.png", newPng(17 * MEBIBYTE));
      await using gate = startGate("/v1/images/known", () => put("a/large.png", newPng(17 * MEBIBYTE)));
      const ran = await cliOf(gate.url, home)("import", s3.blobsUrl(bucket), "--json");
      expect(failuresOf(ran).map(({ reason }) => reason)).toEqual(["it changed after it was listed"]);
      expect(documentsOf(await cli("ls", "a", "--json"))).toEqual([]);
    });

    test("resumes objects of a connection that breaks, and gives up when the object store is away", async () => {
      const large = newPng(24 * MEBIBYTE);
      await putAll({ "a/.album.json": json({ title: "Away" }), "a/large.png": large });
      let passed = 0;
      await using proxy = await startProxy(s3.port, {
        onData(direction, chunk, connection) {
          if (direction === "toServer") return;
          passed += chunk.byteLength;
          if (passed < 10 * MEBIBYTE) return;
          passed = 0;
          connection.cut();
        },
      });
      const through = s3.blobsUrl(bucket, "", proxy.through(s3.endpoint).replace(/\/$/, ""));
      expect(await cli("import", through)).toMatchObject({ code: 0, err: "Created the album a\n" });
      expect(documentsOf(await cli("ls", "a", "--json"))).toMatchObject([{ sha256: sha256(large) }]);

      await Promise.all(Array.from({ length: 40 }, (_, number) => put(`b/${number}.png`, newPng())));
      await put("b/.album.json", json({ title: "Away" }));
      await using gate = startGate("/v1/albums", async () => {
        proxy.refuse();
        proxy.cut();
      });
      const ran = await cliOf(gate.url, home)("import", through.replace("/?", "/b?"));
      expect(ran.code).toBe(1);
      expect(ran.err).toContain(
        `s3://${bucket}/b/1.png: the object store at http://127.0.0.1:${proxy.port} does not answer (`,
      );
      expect(ran.err).toMatch(/\nimage-store: the object store at [^\n]+ does not answer \([^\n]+\)\n$/);
    }, 600_000);
  });

  describe("image-store import of what cannot be listed", () => {
    test.each([
      ["a missing bucket", () => s3.blobsUrl("no-such-bucket"), () => `${s3.endpoint} has no bucket no-such-bucket.`],
      ["an empty prefix", () => s3.blobsUrl(bucket, "typo"), () => `There is no object under s3://${bucket}/typo/.`],
      [
        "an endpoint that is away",
        () => s3.blobsUrl(bucket, "", "http://127.0.0.1:1"),
        () => "the object store at http://127.0.0.1:1 does not answer (",
      ],
    ])("says so of %s, and exits with 1", async (_, url, message) => {
      const ran = await cli("import", url());
      expect(ran).toMatchObject({ code: 1, out: "" });
      expect(ran.err).toContain(message());
      expect(documentsOf(await cli("ls", "--json"))).toEqual([]);
    });

    test("says that the object store refuses the credentials, and exits with 1", async () => {
      Object.assign(process.env, { AWS_SECRET_ACCESS_KEY: "wrong" });
      try {
        const ran = await importIt();
        expect(ran).toMatchObject({ code: 1, out: "" });
        expect(ran.err).toContain(`s3://${bucket}/ could not be listed: ${s3.endpoint} refuses access (`);
      } finally {
        Object.assign(process.env, s3.env);
      }
    });

    test.each(["s3:", "s3://", "s3://Bucket/x", "s3://bucket?region=a&region=b", "s3://bucket?other=1"])(
      "refuses the URL %s with exit code 2",
      async (url) => {
        const ran = await cli("import", url);
        expect(ran).toMatchObject({ code: 2, out: "" });
        expect(ran.err).toStartWith("The S3 URL ");
      },
    );
  });

  /** The store, which waits with requests to a path until the work is done once. */
  function startGate(path: string, work: () => Promise<unknown>): { readonly url: string } & AsyncDisposable {
    let done: Promise<unknown> | undefined;
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      idleTimeout: 0,
      async fetch(request) {
        const { pathname, search } = new URL(request.url);
        const { method, headers, signal } = request;
        if (method === "POST" && pathname === path) await (done ??= work());
        return fetch(`${store.url}${pathname}${search}`, { method, headers, signal, body: request.body });
      },
    });
    return { url: `http://127.0.0.1:${server.port}`, [Symbol.asyncDispose]: () => server.stop(true) };
  }
}
