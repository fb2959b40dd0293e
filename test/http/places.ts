import { DeleteObjectCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from "@aws-sdk/client-s3";
import { Client } from "pg";
import { startPostgres } from "../services/postgres-server.ts";
import { createS3Client, startS3 } from "../services/s3-server.ts";

/** `embedded`, or `elsewhere`: PostgreSQL and S3, where `IMAGE_STORE_TEST_STORES` says so. */
export const STORES = parseStores(process.env["IMAGE_STORE_TEST_STORES"] ?? "embedded");

/** Settings without their prefix. */
type Places = Readonly<Record<string, string>>;

const places = new Map<string, Promise<Places>>();
const clients = new Map<string, Promise<Client>>();
let servers: Promise<Servers> | undefined;
type Servers = Awaited<ReturnType<typeof startServers>>;

/** Where a store keeps what it has: each data folder stands for a database and a bucket of its own. */
export async function placesFor(dataFolder: string): Promise<Places> {
  if (STORES === "embedded") return {};
  const known = places.get(dataFolder) ?? makePlaces();
  places.set(dataFolder, known);
  return known;
}

async function makePlaces(): Promise<Places> {
  const { postgres, s3 } = await (servers ??= startServers());
  const [catalogUrl, bucket] = await Promise.all([postgres.createDatabase(), s3.createBucket()]);
  return { CATALOG_URL: catalogUrl, BLOBS_URL: s3.blobsUrl(bucket, "images") };
}

/** There an event is readable a moment after its 201. Here at once: resolves when none is on its way. */
export async function eventsReadable(dataFolder: string): Promise<void> {
  const { CATALOG_URL } = await placesFor(dataFolder);
  if (CATALOG_URL === undefined) return;
  const known = clients.get(CATALOG_URL) ?? connect(CATALOG_URL);
  clients.set(CATALOG_URL, known);
  const client = await known;
  while ((await client.query("select 1 from events where seq is null limit 1")).rowCount !== 0) await Bun.sleep(1);
}

async function connect(connectionString: string): Promise<Client> {
  const client = new Client({ connectionString });
  await client.connect();
  return client;
}

/**
 * Changes what the bucket of a data folder has under a digest: to other bytes, or to nothing.
 * @returns how many objects that were
 */
export async function spoilObjects(
  dataFolder: string,
  digest: string,
  change: (bytes: Uint8Array) => Uint8Array | undefined,
): Promise<number> {
  const { s3 } = await (servers ??= startServers());
  const Bucket = new URL((await placesFor(dataFolder))["BLOBS_URL"] ?? "").hostname;
  const client = createS3Client(s3);
  try {
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket }));
    const objects = Contents.filter(({ Key }) => Key?.includes(digest));
    for (const { Key } of objects) {
      const object = await client.send(new GetObjectCommand({ Bucket, Key }));
      const changed = change((await object.Body?.transformToByteArray()) ?? new Uint8Array());
      if (changed === undefined) await client.send(new DeleteObjectCommand({ Bucket, Key }));
      else await client.send(new PutObjectCommand({ Bucket, Key, Body: changed }));
    }
    return objects.length;
  } finally {
    client.destroy();
  }
}

/** One of each for all tests of the process, and gone with it. */
async function startServers() {
  const [postgres, s3] = await Promise.all([startPostgres({ settings: { fsync: "off" } }), startS3()]);
  Object.assign(process.env, s3.env);
  return { postgres, s3 };
}

function parseStores(name: string): "embedded" | "elsewhere" {
  if (name === "embedded" || name === "elsewhere") return name;
  throw new Error("IMAGE_STORE_TEST_STORES must be embedded or elsewhere.");
}
