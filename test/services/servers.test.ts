import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { Client } from "pg";
import { type PostgresServer, postgresIsMissing, startPostgres } from "./postgres-server.ts";
import { createS3Client, type S3Server, s3IsMissing, startS3 } from "./s3-server.ts";

// What other tests take for granted about the servers that they start.

if (!postgresIsMissing()) {
  describe("the PostgreSQL test server", () => {
    let postgres: PostgresServer;
    beforeAll(async () => {
      postgres = await startPostgres();
    });
    afterAll(() => postgres[Symbol.asyncDispose]());

    test("is durable and has a common collation", async () => {
      expect(await query(postgres.url, "SHOW fsync")).toEqual([{ fsync: "on" }]);
      const sorted = await query(postgres.url, "SELECT name FROM (VALUES ('B'), ('a')) AS v (name) ORDER BY name");
      expect(sorted).toEqual([{ name: "a" }, { name: "B" }]);
    });

    test("gives each test an empty database", async () => {
      const [one, other] = await Promise.all([postgres.createDatabase(), postgres.createDatabase()]);
      await query(one, "CREATE TABLE t (x integer)");
      const tables = "SELECT count(*)::integer AS count FROM pg_tables WHERE schemaname = 'public'";
      expect(await query(one, tables)).toEqual([{ count: 1 }]);
      expect(await query(other, tables)).toEqual([{ count: 0 }]);
    });

    test("accepts TLS connections under the name in its certificate", async () => {
      await using secure = await startPostgres({ tls: true, settings: { fsync: "off" } });
      const encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
      const options = `sslmode=verify-full&sslrootcert=${secure.caFile}`;
      expect(await query(`${secure.url.replace("127.0.0.1", "localhost")}?${options}`, encrypted)).toEqual([
        { ssl: true },
      ]);
      expect(await query(`${secure.url}?${options}`, encrypted).catch(String)).toContain("altnames");
      expect(await query(secure.url, encrypted)).toEqual([{ ssl: false }]);
    });

    for (const end of ["restart", "stop", "kill"] as const) {
      test(`keeps its data and port over a ${end}`, async () => {
        const url = await postgres.createDatabase();
        await query(url, "CREATE TABLE t (x integer)");
        await query(url, "INSERT INTO t VALUES (1)");
        const idle = new Client({ connectionString: url });
        await idle.connect();
        const wasCut = new Promise((resolve) => {
          idle.on("error", resolve);
        });
        await postgres[end]();
        await wasCut;
        if (end !== "restart") {
          expect(await query(url, "SELECT 1").catch(String)).toContain("ECONNREFUSED");
          await postgres.start();
        }
        expect(await query(url, "SELECT x FROM t")).toEqual([{ x: 1 }]);
      });
    }
  });
}

if (!s3IsMissing()) {
  describe("the S3 test server", () => {
    let s3: S3Server;
    let bucket: string;
    beforeAll(async () => {
      s3 = await startS3();
      bucket = await s3.createBucket();
    });
    afterAll(() => s3[Symbol.asyncDispose]());

    test("stores, describes, reads in ranges and deletes an object", async () => {
      using client = disposable(createS3Client(s3));
      const object = { Bucket: bucket, Key: "a/b" };
      await client.send(new PutObjectCommand({ ...object, Body: Buffer.from("0123456789") }));
      expect((await client.send(new HeadObjectCommand(object))).ContentLength).toBe(10);
      const part = await client.send(new GetObjectCommand({ ...object, Range: "bytes=2-4" }));
      expect(await part.Body?.transformToString()).toBe("234");
      await client.send(new DeleteObjectCommand(object));
      expect(await client.send(new HeadObjectCommand(object)).catch(nameOf)).toBe("NotFound");
    });

    test("completes multipart uploads", async () => {
      using client = disposable(createS3Client(s3));
      const object = { Bucket: bucket, Key: "parts" };
      const parts = [Buffer.alloc(5 * 1024 * 1024, "a"), Buffer.from("end")];
      const { UploadId } = await client.send(new CreateMultipartUploadCommand(object));
      const sent = await Promise.all(
        parts.map(async (Body, index) => {
          const part = { PartNumber: index + 1 };
          const { ETag } = await client.send(new UploadPartCommand({ ...object, UploadId, ...part, Body }));
          return { ...part, ETag };
        }),
      );
      await client.send(new CompleteMultipartUploadCommand({ ...object, UploadId, MultipartUpload: { Parts: sent } }));
      const { Body } = await client.send(new GetObjectCommand(object));
      const bytes = (await Body?.transformToByteArray()) ?? new Uint8Array();
      expect(Buffer.concat(parts).equals(bytes)).toBe(true);
    });

    test("refuses a wrong secret and a wrong digest", async () => {
      using stranger = disposable(createS3Client({ ...s3, secretAccessKey: "wrong" }));
      const put = new PutObjectCommand({ Bucket: bucket, Key: "k", Body: "x" });
      expect(await stranger.send(put).catch(nameOf)).toBe("SignatureDoesNotMatch");
      using client = disposable(createS3Client(s3));
      const ChecksumSHA256 = new Bun.CryptoHasher("sha256").update("other bytes").digest("base64");
      const torn = new PutObjectCommand({ Bucket: bucket, Key: "torn", Body: "x", ChecksumSHA256 });
      expect(await client.send(torn).catch(nameOf)).toMatch(/BadDigest|InvalidRequest/);
      expect(await client.send(new HeadObjectCommand({ Bucket: bucket, Key: "torn" })).catch(nameOf)).toBe("NotFound");
    });

    test("is reachable by the URL that the store accepts", () => {
      const url = new URL(s3.blobsUrl(bucket, "some/prefix"));
      expect([url.hostname, url.pathname]).toEqual([bucket, "/some/prefix"]);
      const { endpoint, region } = s3;
      expect(Object.fromEntries(url.searchParams)).toEqual({ endpoint, region, forcePathStyle: "true" });
    });

    for (const end of ["stop", "kill"] as const) {
      test(`keeps its data and port over a ${end}`, async () => {
        using client = disposable(createS3Client(s3));
        const object = { Bucket: bucket, Key: `kept over a ${end}` };
        await client.send(new PutObjectCommand({ ...object, Body: "kept" }));
        await s3[end]();
        expect(await fetch(s3.endpoint).catch(nameOf)).toBe("TypeError");
        await s3.start();
        const { Body } = await client.send(new GetObjectCommand(object));
        expect(await Body?.transformToString()).toBe("kept");
      });
    }
  });
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

const nameOf = (error: unknown) => (error instanceof Error ? error.name : String(error));

const disposable = <Client extends { destroy(): void }>(client: Client): Client & Disposable =>
  Object.assign(client, { [Symbol.dispose]: () => client.destroy() });
