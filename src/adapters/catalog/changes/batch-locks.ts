import { albumsOf, type BatchOperation } from "../../../domain/batch.ts";
import { type Caller, visibleAlbums } from "../../../domain/caller.ts";
import { keyScope, type QuotaScope } from "../../../domain/quota.ts";
import type { Driver } from "../driver.ts";
import { findAlbum } from "../queries/albums.ts";
import { findImageById } from "../queries/images.ts";
import { findLiveAlbum } from "./albums.ts";
import type { ChangeContext } from "./context.ts";
import { shardOf } from "./quota-shards.ts";

/**
 * Locks what the operations will lock, in the order of all transactions: albums by id, then quotas by scope and shard. Without it,
 * two batches that name the same albums in another order would wait for each other. What a rename brings under a name meanwhile
 * is locked later; if that ends in a deadlock, PostgreSQL ends one of the transactions, which is tried again.
 */
export async function lockForBatch(
  db: Driver,
  context: ChangeContext,
  caller: Caller,
  operations: readonly BatchOperation[],
): Promise<void> {
  const visibility = visibleAlbums(caller);
  const names = [...new Set(operations.flatMap(albumsOf))];
  const ids = operations.flatMap((operation) => (operation.type === "describeImage" ? [operation.id] : []));
  // Only what the caller may know of: it must not be able to hold up others.
  const [albums, images] = await Promise.all([
    Promise.all(names.map((name) => findAlbum(db, name, visibility))),
    Promise.all(ids.map((id) => findImageById(db, id, visibility))),
  ]);
  const albumIds = new Map(albums.flatMap((album) => (album === undefined ? [] : [[album.name, album.id] as const])));
  const found = [...albumIds.values(), ...images.flatMap((image) => image?.image.albumId ?? [])];
  await Promise.all([...new Set(found)].sort().map(async (id) => findLiveAlbum(db, id)));
  if (context.limited) await lockQuotas(db, context, operations, albumIds);
}

const CHARGED = "select distinct charged_to from images where album_id = $1 and charged_to is not null";
const CHARGED_FOR_ONE = "select charged_to from images where album_id = $1 and name = $2 and charged_to is not null";

async function lockQuotas(
  db: Driver,
  { shards, whole }: ChangeContext,
  operations: readonly BatchOperation[],
  albumIds: ReadonlyMap<string, string>,
): Promise<void> {
  const counted = operations.flatMap((operation): readonly (readonly (string | undefined)[])[] => {
    switch (operation.type) {
      case "deleteAlbum":
        return [[albumIds.get(operation.name)]];
      case "deleteImage":
        return [[albumIds.get(operation.album), operation.name]];
      case "moveImage":
        // The image that it may replace.
        return [[albumIds.get(operation.target.album), operation.target.name ?? operation.name]];
      default:
        return [];
    }
  });
  const places = counted.filter((place): place is string[] => place[0] !== undefined);
  const charged = await Promise.all(
    places.map(async (place) => db.all<{ charged_to: string }>(place.length === 1 ? CHARGED : CHARGED_FOR_ONE, place)),
  );
  const scopes = new Set<QuotaScope>(["store", ...charged.flat().map(({ charged_to }) => keyScope(charged_to))]);
  const some = new Set(places.map(([id = ""]) => shardOf(id, shards)));
  const all = Array.from({ length: shards }, (_, shard) => shard);
  const rows = [...scopes].sort().flatMap((scope) => {
    return all.filter((shard) => whole.has(scope) || some.has(shard)).map((shard) => [scope, shard] as const);
  });
  await Promise.all(
    rows.map(async (row) => db.get("select 1 from quotas where scope = $1 and shard = $2 for no key update", row)),
  );
}
