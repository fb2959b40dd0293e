import type { Quota, QuotaScope } from "../../../domain/quota.ts";
import type { Driver } from "../driver.ts";

/**
 * On PostgreSQL the counters of a quota are split over several rows, so that changes of different albums seldom wait for each
 * other. Each shard has what its albums have used, and a ceiling up to which they may grow without looking at other shards. The
 * sum of the ceilings is at most the limit. While more is used than the limit allows, the ceilings admit nothing.
 *
 * SQLite commits one transaction at a time, so it has one shard, and no use for ceilings.
 */
export const shardOf = (albumId: string, shards: number): number => Bun.hash.crc32(albumId) % shards;

/** A shard has too little room: whether the change fits depends on the others. The transaction must begin anew and lock all. */
export class ShardExhausted extends Error {
  readonly scopes: readonly QuotaScope[];

  constructor(scopes: readonly QuotaScope[]) {
    super("A shard of a quota has too little room.");
    this.scopes = scopes;
  }
}

export async function insertShards(db: Driver, shards: number, quota: Quota): Promise<void> {
  const { scope, maxBytes, maxImages, used } = quota;
  const rows = Array.from({ length: shards }, (_, shard) =>
    shard === 0 ? "($1, 0, $2, $3, $4, $5)" : `($1, ${shard}, $2, $3, 0, 0)`,
  );
  await db.run(`insert into quotas (scope, shard, max_bytes, max_images, images, bytes) values ${rows.join(", ")}`, [
    scope,
    maxBytes,
    maxImages,
    used.images,
    used.bytes,
  ]);
  await spreadRoom(db, shards, scope);
}

/** Gives each shard an equal part of the room that is left. The transaction must have locked all of them. */
export async function spreadRoom(db: Driver, shards: number, scope: QuotaScope): Promise<void> {
  if (shards > 1) await db.run(SPREAD, [scope, shards]);
}

/** The least value: a shard may have used less than nothing, when images are deleted that another one counted. */
const ADMITS_NOTHING = Number.MIN_SAFE_INTEGER;

const ceiling = (unit: "bytes" | "images") => `case
    when max_${unit} < total.${unit} then ${ADMITS_NOTHING}
    else quotas.${unit} + (max_${unit} - total.${unit}) / $2::bigint end`;

const SPREAD = `update quotas set ceiling_bytes = coalesce(${ceiling("bytes")}, ${ADMITS_NOTHING}),
    ceiling_images = coalesce(${ceiling("images")}, ${ADMITS_NOTHING})
  from (select sum(bytes)::bigint as bytes, sum(images)::bigint as images from quotas where scope = $1) total
  where scope = $1`;
