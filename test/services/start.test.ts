import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { runCli } from "../cli/run-cli.ts";
import { startStore } from "../http/harness.ts";
import { imagePath, newAlbum, newImage, newPng, sha256 } from "../http/image-fixtures.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { type PostgresServer, postgresIsMissing, startPostgres } from "./postgres-server.ts";
import { type S3Server, s3IsMissing, startS3 } from "./s3-server.ts";

// A server that starts beside what it needs: waits for what will pass, and refuses what belongs to another store.

let folder: string;
beforeEach(async () => {
  folder = await newFolder("start");
});
afterEach(() => removeFolder(folder));
setDefaultTimeout(600_000);

const data = (name: string) => join(folder, name);

const serve = (settings: Readonly<Record<string, string>>, stopAfter = 60_000) => {
  const named = Object.entries({ DATA: join(folder, "data"), PORT: "0", MIN_FREE: "0", ...settings });
  const env = Object.fromEntries(named.map(([name, value]) => [`IMAGE_STORE_${name}`, value]));
  const onStop = (listener: () => void) => {
    const timer = setTimeout(listener, stopAfter);
    return () => clearTimeout(timer);
  };
  return runCli(["serve", "--log-level", "silent"], folder, { env, onStop });
};

if (!postgresIsMissing()) {
  describe("a server with PostgreSQL", () => {
    let postgres: PostgresServer;
    beforeAll(async () => {
      postgres = await startPostgres({ settings: { fsync: "off" } });
    });
    afterAll(() => postgres[Symbol.asyncDispose]());

    test("waits for a database that is not up yet and starts soon after it", async () => {
      const url = await postgres.createDatabase();
      await postgres.stop();
      let isUp = false;
      const starting = startStore({ DATA: join(folder, "data"), CATALOG_URL: url, START_TIMEOUT: "1m" }).then(
        (store) => {
          expect(isUp).toBe(true);
          return store;
        },
      );
      await Bun.sleep(1500);
      isUp = true;
      await postgres.start();
      await using store = await starting;
      expect((await store.fetch("/readyz")).status).toBe(200);
    });

    test("gives up with exit code 1, the address and the cause; a signal ends the wait", async () => {
      const url = await postgres.createDatabase();
      await postgres.stop();
      try {
        const { code, err } = await serve({ CATALOG_URL: url, START_TIMEOUT: "1s" });
        expect([code, err]).toEqual([
          1,
          expect.stringMatching(/PostgreSQL is not available: postgres:\/\/127\.0\.0\.1:\d+\/test_/),
        ]);
        expect(err).not.toContain("password");
        expect((await serve({ CATALOG_URL: url, START_TIMEOUT: "1m" }, 1000)).code).toBe(0);
      } finally {
        await postgres.start();
      }
    });

    test("exits with 2 at once for an error that cannot pass", async () => {
      const url = new URL(await postgres.createDatabase());
      const wrong = new URL(url);
      wrong.password = "wrong-secret";
      const refused = await serve({ CATALOG_URL: wrong.href });
      expect([refused.code, refused.err]).toEqual([2, expect.stringContaining("password authentication failed")]);
      expect(refused.err).not.toContain("wrong-secret");
      wrong.password = url.password;
      wrong.pathname = "/no_such_database";
      const missing = await serve({ CATALOG_URL: wrong.href });
      expect([missing.code, missing.err]).toEqual([2, expect.stringContaining('"no_such_database" does not exist')]);
      url.searchParams.set("sslmode", "require");
      const plain = await serve({ CATALOG_URL: url.href });
      expect([plain.code, plain.err]).toEqual([2, expect.stringContaining("SSL")]);
    });

    test("is refused with another database beside existing blobs, and removes no blob", async () => {
      const [own, other] = [await postgres.createDatabase(), await postgres.createDatabase()];
      const env = { DATA: join(folder, "data") };
      const bytes = newPng(1_500_000);
      let album: string;
      {
        await using store = await startStore({ ...env, CATALOG_URL: own });
        album = await newAlbum(store);
        await newImage(store, album, "i", bytes);
      }
      const { code, err } = await serve({ ...env, CATALOG_URL: other, GRACE: "1s" });
      expect([code, err]).toEqual([2, expect.stringContaining("The bytes belong to another store")]);
      expect(err).toContain(new URL(other).pathname);
      await using store = await startStore({ ...env, CATALOG_URL: own });
      const response = await store.fetch(`${imagePath(album, "i")}/content`);
      expect(sha256(await response.bytes())).toBe(sha256(bytes));
    });
  });
}

if (!s3IsMissing()) {
  describe("a server with S3", () => {
    let s3: S3Server;
    const former = { ...process.env };
    beforeAll(async () => {
      s3 = await startS3();
      Object.assign(process.env, s3.env);
    });
    afterAll(async () => {
      for (const name of Object.keys(s3.env)) process.env[name] = former[name];
      await s3[Symbol.asyncDispose]();
    });
    test("with a prefix shares a bucket, even in a concurrent start; a foreign bucket is refused", async () => {
      const bucket = await s3.createBucket();
      const BLOBS_URL = s3.blobsUrl(bucket, "images");
      let album: string;
      {
        await using store = await startStore({ DATA: data("one"), CATALOG_URL: "", BLOBS_URL });
        album = await newAlbum(store);
        await newImage(store, album, "i");
        const second = startStore({ DATA: data("two"), CATALOG_URL: "", BLOBS_URL });
        expect(((await second.catch((error: unknown) => error)) as Error).message).toContain("belong to another store");
      }
      // A bucket that is there, and not the one.
      const other = await serve({ DATA: data("one"), BLOBS_URL: s3.blobsUrl(await s3.createBucket(), "images") });
      expect([other.code, other.err]).toEqual([2, expect.stringContaining("has none of their bytes")]);

      const fresh = s3.blobsUrl(bucket, "fresh");
      const both = await Promise.allSettled(
        ["three", "four"].map((name) => startStore({ DATA: data(name), CATALOG_URL: "", BLOBS_URL: fresh })),
      );
      for (const outcome of both) if (outcome.status === "fulfilled") await outcome.value[Symbol.asyncDispose]();
      expect(both.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    });

    test("waits for a bucket that is not up yet, and gives up with the cause", async () => {
      const BLOBS_URL = s3.blobsUrl(await s3.createBucket(), "images");
      await s3.stop();
      const { code, err } = await serve({ BLOBS_URL, START_TIMEOUT: "1s" });
      expect([code, err]).toEqual([1, expect.stringContaining("Cause:")]);
      const starting = startStore({ DATA: data("one"), CATALOG_URL: "", BLOBS_URL, START_TIMEOUT: "1m" });
      await Bun.sleep(1000);
      await s3.start();
      await using store = await starting;
      expect((await store.fetch("/readyz")).status).toBe(200);
    });
  });
}
