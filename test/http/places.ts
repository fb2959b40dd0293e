import { DeleteObjectCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from "@aws-sdk/client-s3";
import { Client } from "pg";
import type { Config } from "../../src/config.ts";
import { startPostgres } from "../services/postgres-server.ts";
import { createS3Client, startS3 } from "../services/s3-server.ts";

const KINDS = ["sqlite+files", "sqlite+s3", "postgres+files", "postgres+s3"] as const;

/** What the stores of the tests are on, as `IMAGE_STORE_TEST_STORES` says. */
const [CATALOG, BLOBS] = parseKind(process.env["IMAGE_STORE_TEST_STORES"] ?? "sqlite+files");

export { BLOBS };

/** Settings without their prefix. */
type Places = Readonly<Record<string, string>>;

const places = new Map<string, Promise<Places>>();
const clients = new Map<string, Promise<Client>>();
let postgres: ReturnType<typeof startPostgresServer> | undefined;
let s3: ReturnType<typeof startS3Server> | undefined;

/** Where a store keeps what it has: each data folder stands for a database and a bucket of its own. */
export async function placesFor(dataFolder: string): Promise<Places> {
  const known = places.get(dataFolder) ?? makePlaces();
  places.set(dataFolder, known);
  return known;
}

async function makePlaces(): Promise<Places> {
  const place: Record<string, string> = {};
  if (CATALOG === "postgres")
    place["CATALOG_URL"] = await (await (postgres ??= startPostgresServer())).createDatabase();
  if (BLOBS === "s3") {
    const server = await (s3 ??= startS3Server());
    place["BLOBS_URL"] = server.blobsUrl(await server.createBucket(), "images");
  }
  return place;
}

/** In PostgreSQL an event becomes readable a moment after its 201: resolves when no event is on its way. */
export async function eventsReadable(catalog: Config["catalog"]): Promise<void> {
  if (catalog.kind !== "postgres") return;
  const known = clients.get(catalog.url) ?? connect(catalog.url);
  clients.set(catalog.url, known);
  const client = await known;
  while ((await client.query("select 1 from events where seq is null limit 1")).rowCount !== 0) await Bun.sleep(1);
}

async function connect(connectionString: string): Promise<Client> {
  const client = new Client({ connectionString });
  // A test may cut it off after its last request: without a listener that would end the run.
  client.on("error", () => clients.delete(connectionString));
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
  const server = await (s3 ??= startS3Server());
  const Bucket = new URL((await placesFor(dataFolder))["BLOBS_URL"] ?? "").hostname;
  const client = createS3Client(server);
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
const startPostgresServer = () => startPostgres({ settings: { fsync: "off" } });

async function startS3Server() {
  const server = await startS3();
  Object.assign(process.env, server.env);
  return server;
}

function parseKind(text: string): ["sqlite" | "postgres", "files" | "s3"] {
  const kind = KINDS.find((known) => known === text);
  if (kind === undefined) throw new Error(`IMAGE_STORE_TEST_STORES must be one of ${KINDS.join(", ")}.`);
  return kind.split("+") as ["sqlite" | "postgres", "files" | "s3"];
}
