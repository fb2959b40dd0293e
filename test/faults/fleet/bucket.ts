import { setTimeout as sleep } from "node:timers/promises";
import { ListObjectsV2Command, PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { createS3Client } from "../../services/s3-server.ts";
import { withCatalog } from "./catalog-trouble.ts";
import { type Fleet, PREFIX } from "./fleet.ts";

const SWEEP_TIMEOUT_MS = 90_000;
const TOMBSTONE = "state = 'deleting' and reserved_at is not null and swept_at is not null";

/** Keys of all that lies in the bucket, by a client that is not the store's. */
export async function listObjects(fleet: Fleet): Promise<string[]> {
  return await withBucket(fleet, async (client) => {
    const keys: string[] = [];
    let token: string | undefined;
    do {
      const page = await client.send(new ListObjectsV2Command({ Bucket: fleet.bucket, ContinuationToken: token }));
      keys.push(...(page.Contents ?? []).map(({ Key = "" }) => Key));
      token = page.NextContinuationToken;
    } while (token !== undefined);
    return keys;
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
      await client.send(
        new PutObjectCommand({ Bucket: fleet.bucket, Key: PREFIX + location.replace(/^s3:/, ""), Body: "late" }),
      );
  });
  return rows.length;
}

/**
 * Waits until each object is an image's and each row too, with the tombstones' days made short. Nothing else may be
 * writing.
 * @throws when the sweeper leaves something, or takes what it should not
 */
export async function awaitTombstones(fleet: Fleet): Promise<number> {
  const deadline = Date.now() + SWEEP_TIMEOUT_MS;
  for (;;) {
    const { images, others } = await withCatalog(fleet.catalogUrl, async (client) => {
      // A day passes, and after it all the days of a tombstone.
      await client.query(`update blobs set swept_at = 0, reserved_at = 0 where ${TOMBSTONE}`);
      const { rows } = await client.query<{ images: number; others: number }>(
        `select (select count(*)::int from images) as images,
           (select count(*)::int from blobs where state <> 'live') as others`,
      );
      return rows[0] ?? { images: 0, others: 0 };
    });
    const objects = (await listObjects(fleet)).length;
    if (others === 0 && objects === images) return objects;
    if (Date.now() > deadline) throw new Error(`${objects} objects and ${others} dead rows beside ${images} images`);
    await sleep(500);
  }
}

async function withBucket<Result>({ s3 }: Fleet, work: (client: S3Client) => Promise<Result>): Promise<Result> {
  const client = createS3Client(s3);
  try {
    return await work(client);
  } finally {
    client.destroy();
  }
}
