/**
 * The least that a durable create on PostgreSQL and S3 can cost: a commit, a PUT, a HEAD, another commit, so many at
 * once, for so long, and nothing else. The client of S3 is the store's own, and as many connections to PostgreSQL are
 * open. Prints its result as JSON.
 */
import { HeadObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { Pool } from "pg";
import { createS3 } from "../../src/adapters/blobs/s3/client.ts";
import { STAMP_BYTES, STAMP_FROM_END } from "../stamp.ts";

export interface BarePutOptions {
  readonly catalogUrl: string;
  readonly poolSize: number;
  readonly bucket: string;
  readonly endpoint: string;
  readonly region: string;
  readonly imageFile: string;
  readonly inFlight: number;
  /** Not counted, before those that are. */
  readonly warmUpSeconds: number;
  readonly seconds: number;
}

export interface BarePutResult {
  readonly uploads: number;
  readonly perSecond: number;
  /** Of this process, in seconds. */
  readonly cpuSeconds: number;
}

const options = JSON.parse(process.argv[2] ?? "") as BarePutOptions;
const { bucket } = options;
const image = await Bun.file(options.imageFile).bytes();
using s3 = createS3({ ...options, forcePathStyle: true });
const pool = new Pool({ connectionString: options.catalogUrl, max: options.poolSize });
await pool.query("create table if not exists reserved (key text primary key, size bigint not null)");
await pool.query("create table if not exists recorded (key text primary key, size bigint not null)");

await storeFor(options.warmUpSeconds);
const start = performance.now();
const cpuBefore = process.cpuUsage();
const uploads = await storeFor(options.seconds);
const { user, system } = process.cpuUsage(cpuBefore);
const result: BarePutResult = {
  uploads,
  perSecond: (uploads * 1000) / (performance.now() - start),
  cpuSeconds: (user + system) / 1e6,
};
console.log(JSON.stringify(result));
await pool.end();

async function storeFor(seconds: number): Promise<number> {
  const end = performance.now() + seconds * 1000;
  let count = 0;
  const storeUntilEnd = async () => {
    while (performance.now() < end) {
      await store();
      count++;
    }
  };
  await Promise.all(Array.from({ length: options.inFlight }, storeUntilEnd));
  return count;
}

async function store(): Promise<void> {
  const Body = image.slice();
  crypto.getRandomValues(Body.subarray(-STAMP_FROM_END).subarray(0, STAMP_BYTES));
  // Every PUT has to sign this.
  const digest = new Bun.CryptoHasher("sha256").update(Body).digest("base64");
  const object = { Bucket: bucket, Key: crypto.randomUUID() };
  await insert("reserved", object.Key, Body.byteLength);
  await s3.try((client) =>
    client.send(new PutObjectCommand({ ...object, Body, ContentLength: Body.byteLength, ChecksumSHA256: digest })),
  );
  await s3.try((client) => client.send(new HeadObjectCommand({ ...object, ChecksumMode: "ENABLED" })));
  await insert("recorded", object.Key, Body.byteLength);
}

function insert(table: "reserved" | "recorded", key: string, size: number) {
  return pool.query({ name: table, text: `insert into ${table} (key, size) values ($1, $2)`, values: [key, size] });
}
