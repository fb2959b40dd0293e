import type { BlobRow } from "../../../ports.ts";
import type { Driver } from "../driver.ts";

/** Keys of one statement. A shorter list is filled up with its last key. */
const KEYS_AT_ONCE = 100;
const PLACEHOLDERS = Array.from({ length: KEYS_AT_ONCE }, (_, index) => `$${index + 1}`).join(", ");

export async function recordedBlobs(db: Driver, keys: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const recorded = new Map<string, string>();
  for (const part of parts(keys)) {
    const sql = `select key, location from blobs where key in (${PLACEHOLDERS})`;
    for (const { key, location } of await db.all<{ key: string; location: string }>(sql, part))
      recorded.set(key, location);
  }
  return recorded;
}

export async function liveBlobs(db: Driver, keys: readonly string[]): Promise<ReadonlySet<string>> {
  const live = new Set<string>();
  for (const part of parts(keys)) {
    const sql = `select key from blobs where key in (${PLACEHOLDERS}) and state = 'live'`;
    for (const { key } of await db.all<{ key: string }>(sql, part)) live.add(key);
  }
  return live;
}

/** Parts of {@link KEYS_AT_ONCE} keys each. */
function* parts(keys: readonly string[]): Generator<string[]> {
  for (let start = 0; start < keys.length; start += KEYS_AT_ONCE) {
    const last = keys.length - 1;
    yield Array.from({ length: KEYS_AT_ONCE }, (_, index) => keys[Math.min(start + index, last)] as string);
  }
}

export async function listBlobs(
  db: Driver,
  { afterKey, limit }: { afterKey?: string; limit: number },
): Promise<readonly BlobRow[]> {
  return db.all<BlobRow>(
    "select key, location, size, sha256, crc32, state from blobs where key > $1 order by key limit $2",
    [afterKey ?? "", limit],
  );
}
