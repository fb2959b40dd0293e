import { setTimeout as sleep } from "node:timers/promises";
import { ListObjectsV2Command, PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { createS3Client } from "../../services/s3-server.ts";
import { PATIENCE_MS } from "../../waiting.ts";
import { withCatalog } from "./catalog-trouble.ts";
import { type Fleet, PREFIX } from "./fleet.ts";

const TOMBSTONE = "state = 'deleting' and reserved_at is not null and swept_at is not null";

/** Keys of all that lies in the bucket but the store's id, by a client that is not the store's. */
async function listObjects(fleet: Fleet): Promise<string[]> {
  return await withBucket(fleet, async (client) => {
    const keys: string[] = [];
    let token: string | undefined;
    do {
      const page = await client.send(new ListObjectsV2Command({ Bucket: fleet.bucket, ContinuationToken: token }));
      keys.push(...(page.Contents ?? []).map(({ Key = "" }) => Key));
      token = page.NextContinuationToken;
    } while (token !== undefined);
    return keys.filter((key) => key !== `${PREFIX}store-id`);
  });
}

/**
 * Puts bytes where those of an upload would have gone that was swept, as a PUT does that was on its way for too long.
 * @returns of how many such uploads
 */
export async function landLate(fleet: Fleet): Promise<number> {
  const rows = await withCatalog(fleet.catalogUrl, async (client) => {
    const { rows: found } = await client.query<{ location: string }>(`select location from blobs where ${TOMBSTONE}`);
    return found;
  });
  await withBucket(fleet, async (client) => {
    for (const { location } of rows)
      await client.send(new PutObjectCommand({ Bucket: fleet.bucket, Key: objectOf(location), Body: "late" }));
  });
  return rows.length;
}

/**
 * Waits until each object is an image's and each row of a blob too, with the tombstones' days made short. Nothing else
 * may be writing. Answers how many there are.
 * @throws when the sweeper leaves something, or takes what it should not
 */
export async function awaitTombstones(fleet: Fleet): Promise<number> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const rows = await withCatalog(fleet.catalogUrl, async (client) => {
      // A day passes, and after it all the days of a tombstone.
      await client.query(`update blobs set swept_at = 0, reserved_at = 0 where ${TOMBSTONE}`);
      const { rows: found } = await client.query<BlobRow>(
        `select location, state, images.id is not null as "hasImage" from blobs
         full join images on images.id = blobs.image_id and blobs.state = 'live'`,
      );
      return found;
    });
    const objects = await listObjects(fleet);
    const problems = compare(rows, objects);
    if (problems.length === 0) return objects.length;
    if (Date.now() > deadline) throw new Error(`In the bucket and in the catalog: ${problems.join(", ")}`);
    await sleep(500);
  }
}

/** Of blobs and of images, side by side. */
interface BlobRow {
  readonly location: string | null;
  readonly state: string | null;
  readonly hasImage: boolean;
}

function compare(rows: readonly BlobRow[], objects: readonly string[]): string[] {
  const recorded = new Set<string>();
  const problems: string[] = [];
  for (const { location, state, hasImage } of rows) {
    if (location === null) problems.push("an image without a blob");
    else {
      recorded.add(objectOf(location));
      if (!hasImage) problems.push(`${location} is ${state} and no image's`);
    }
  }
  const there = new Set(objects);
  problems.push(...[...recorded].filter((key) => !there.has(key)).map((key) => `no object ${key}`));
  problems.push(...objects.filter((key) => !recorded.has(key)).map((key) => `nobody's object ${key}`));
  return problems;
}

const objectOf = (location: string): string => PREFIX + location.replace(/^s3:/, "");

async function withBucket<Result>({ s3 }: Fleet, work: (client: S3Client) => Promise<Result>): Promise<Result> {
  const client = createS3Client(s3);
  try {
    return await work(client);
  } finally {
    client.destroy();
  }
}
