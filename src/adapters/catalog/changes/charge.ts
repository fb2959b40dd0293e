import type { Change } from "../../../domain/change.ts";
import {
  exceededBy,
  keyScope,
  NOTHING,
  type QuotaScope,
  quotaExceeded,
  sum,
  type Usage,
} from "../../../domain/quota.ts";
import type { Driver } from "../driver.ts";
import type { AlbumRow, ImageRow } from "../rows.ts";
import type { ChangeContext } from "./context.ts";
import type { Balance, Balances } from "./ledger.ts";
import { ShardExhausted, shardOf } from "./quota-shards.ts";

/** What a change adds to the counters, or (negative) takes from them, for an image or for several. */
export interface Charge {
  /** Of the image; empty for a removal. */
  readonly name: string;
  readonly usage: Usage;
  /** The same by the key that is charged; images without a key are missing. */
  readonly keys: ReadonlyMap<string, Usage>;
}

export const UNCHANGED: Charge = { name: "", usage: NOTHING, keys: new Map() };

type Counted = Pick<ImageRow, "size" | "charged_to">;

/** @param chargedTo the key of the caller */
export function additionOf(
  name: string,
  size: number,
  chargedTo: string | null,
  replaced: Counted | undefined,
): Charge {
  const added = { images: 1, bytes: size };
  if (replaced === undefined) return { name, usage: added, keys: addTo(new Map(), chargedTo, added) };
  const removed = removalOf([replaced]);
  return { name, usage: sum(added, removed.usage), keys: addTo(new Map(removed.keys), chargedTo, added) };
}

export function removalOf(images: readonly Counted[]): Charge {
  let usage = NOTHING;
  const keys = new Map<string, Usage>();
  for (const { size, charged_to } of images) {
    const removed = { images: -1, bytes: -size };
    usage = sum(usage, removed);
    addTo(keys, charged_to, removed);
  }
  return { name: "", usage, keys };
}

function addTo(keys: Map<string, Usage>, key: string | null, usage: Usage): Map<string, Usage> {
  return key === null ? keys : keys.set(key, sum(keys.get(key) ?? NOTHING, usage));
}

/**
 * Takes what a change needs from the quotas. Call it when nothing else can refuse the change, and before it writes. The row of
 * the album must be locked. Returns what writes the counters, to be started beside the other writes.
 * @param counters whether those of the album still matter
 * @throws StoreError `quota_exceeded`, with an entry in `errors` for each image that does not fit after those before it
 * @throws ShardExhausted
 */
export async function charge(
  db: Driver,
  context: ChangeContext,
  change: Change,
  album: AlbumRow,
  charges: readonly Charge[],
  { counters = true } = {},
): Promise<() => Promise<unknown>> {
  const total = charges.reduce((usage, one) => sum(usage, one.usage), NOTHING);
  const locked = context.limited ? await context.ledger.lock(db, change, album.id, scopesOf(charges)) : NONE;
  // From here on synchronous: no other change of the transaction comes between.
  const balances = counters ? withAlbum(locked, context.ledger.album(album), album) : locked;
  requireRoom(balances, charges);
  const used = [...balances].map(([scope, balance]) => ({ scope, balance, usage: usageOf(scope, charges) }));
  for (const { balance, usage } of used) balance.use(usage);
  const shard = shardOf(album.id, context.shards);
  return () =>
    Promise.all([
      counters ? countImages(db, album.id, total) : undefined,
      ...used.filter(({ scope }) => locked.has(scope)).map(({ scope, usage }) => count(db, scope, shard, usage)),
    ]);
}

/** An image that leaves one album for another, where it may replace one. */
export interface Transfer {
  readonly from: AlbumRow;
  readonly to: AlbumRow;
  /** Its name in the album that it enters. */
  readonly name: string;
  readonly image: Counted;
  readonly replaced: Counted | undefined;
}

/**
 * {@link charge} for an image that moves. The store and the key count it already, so only the quota of the album that it enters can refuse
 * it. The rows of both albums must be locked.
 * @throws StoreError `quota_exceeded`
 */
export async function transfer(
  db: Driver,
  context: ChangeContext,
  change: Change,
  { from, to, name, image, replaced }: Transfer,
): Promise<() => Promise<unknown>> {
  const freed = replaced === undefined ? UNCHANGED : removalOf([replaced]);
  const locked =
    replaced !== undefined && context.limited ? await context.ledger.lock(db, change, to.id, scopesOf([freed])) : NONE;
  const left = removalOf([image]).usage;
  const entered = sum({ images: 1, bytes: image.size }, freed.usage);
  const balance = context.ledger.album(to);
  if (balance !== undefined) requireRoom(withAlbum(NONE, balance, to), [{ name, usage: entered, keys: new Map() }]);
  balance?.use(entered);
  context.ledger.album(from)?.use(left);
  for (const [scope, used] of locked) used.use(usageOf(scope, [freed]));
  const shard = shardOf(to.id, context.shards);
  return () =>
    Promise.all([
      countImages(db, from.id, left),
      countImages(db, to.id, entered),
      ...[...locked.keys()].map((scope) => count(db, scope, shard, usageOf(scope, [freed]))),
    ]);
}

const NONE: Balances = new Map();

const withAlbum = (locked: Balances, balance: Balance | undefined, { id }: AlbumRow): Balances =>
  balance === undefined ? locked : new Map([[`albums/${id}` as const, balance], ...locked]);

const scopesOf = (charges: readonly Charge[]): ReadonlySet<QuotaScope> =>
  new Set<QuotaScope>(["store", ...charges.flatMap(({ keys }) => [...keys.keys()].map(keyScope))]);

/** What the charges are for this scope. Each is to the one album of the change and to the store. */
const usageOf = (scope: QuotaScope, charges: readonly Charge[]): Usage =>
  charges.reduce((usage, one) => sum(usage, partOf(scope, one)), NOTHING);

const partOf = (scope: QuotaScope, { usage, keys }: Charge): Usage =>
  scope.startsWith("keys/") ? (keys.get(scope.slice("keys/".length)) ?? NOTHING) : usage;

function requireRoom(balances: Balances, charges: readonly Charge[]): void {
  for (const [scope, { quota }] of balances) {
    const unit = exceededBy(quota, usageOf(scope, charges));
    if (unit === undefined) continue;
    const { names, scopes } = findWithoutRoom(balances, charges);
    const inexact = [scope, ...scopes].filter((one) => balances.get(one)?.exact === false);
    if (inexact.length > 0) throw new ShardExhausted(inexact);
    throw quotaExceeded(quota, unit, names);
  }
}

/** The images that have no room in every quota beside the images before them that have, and the quotas that lack it. */
function findWithoutRoom(balances: Balances, charges: readonly Charge[]) {
  const quotas = new Map([...balances].map(([scope, { quota }]) => [scope, quota]));
  const names: string[] = [];
  const scopes = new Set<QuotaScope>();
  for (const one of charges) {
    const full = [...quotas].filter(([scope, quota]) => exceededBy(quota, partOf(scope, one)) !== undefined);
    for (const [scope] of full) scopes.add(scope);
    if (full.length > 0) names.push(one.name);
    else
      for (const [scope, quota] of quotas) quotas.set(scope, { ...quota, used: sum(quota.used, partOf(scope, one)) });
  }
  return { names, scopes };
}

/** Does not change the revision of the album. */
const countImages = async (db: Driver, albumId: string, { images, bytes }: Usage) =>
  db.run("update albums set image_count = image_count + $2, byte_count = byte_count + $3 where id = $1", [
    albumId,
    images,
    bytes,
  ]);

const count = async (db: Driver, scope: QuotaScope, shard: number, { images, bytes }: Usage) =>
  db.run("update quotas set images = images + $3, bytes = bytes + $4 where scope = $1 and shard = $2", [
    scope,
    shard,
    images,
    bytes,
  ]);
