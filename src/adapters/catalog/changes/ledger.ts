import type { Change } from "../../../domain/change.ts";
import { albumScope, NOTHING, type Quota, type QuotaScope, sum, type Usage } from "../../../domain/quota.ts";
import type { Driver } from "../driver.ts";
import { type AlbumRow, type QuotaRow, toQuota } from "../rows.ts";
import { shardOf, spreadRoom } from "./quota-shards.ts";

/** Quotas that a transaction has locked, with what its changes have used so far. */
export type Balances = ReadonlyMap<QuotaScope, Balance>;

export interface Balance {
  /** That of a shard, if it is not exact: less may be used, and the limits are its ceilings. */
  readonly quota: Quota;
  /** Whether a change that has no room in it is refused. */
  readonly exact: boolean;
  use(usage: Usage): void;
}

/**
 * The quotas of one transaction. PostgreSQL runs its changes side by side, so each reads the counters before any other has
 * written them: the ledger keeps what they use together.
 */
export interface Ledger {
  /**
   * Locks rows of these scopes and returns the quotas among them. It waits until every other change of the transaction
   * asks too or has ended, so all are locked by one statement, in order, as each transaction does it.
   * @param albumId the album of all changes of the transaction
   */
  lock(db: Driver, change: Change, albumId: string, scopes: Iterable<QuotaScope>): Promise<Balances>;
  /** The quota in the row of an album that the transaction has locked; undefined without one. */
  album(row: AlbumRow): Balance | undefined;
  /** The change has ended. */
  end(change: Change): void;
  /** Spreads the room that the changes have left in quotas of which it has locked all shards. */
  spread(db: Driver): Promise<void>;
}

export interface LedgerOptions {
  /** All changes of the transaction. */
  readonly changes: readonly Change[];
  readonly shards: number;
  /** Quotas of which it locks all shards, not only that of the album. */
  readonly whole: ReadonlySet<QuotaScope>;
}

const NONE: ReadonlySet<QuotaScope> = new Set();

export function createLedger({ changes = [], shards = 1, whole = NONE }: Partial<LedgerOptions>): Ledger {
  const missing = new Set(changes);
  const scopes = new Set<QuotaScope>();
  const albums = new Map<QuotaScope, Balance>();
  const turn = Promise.withResolvers<Driver>();
  let locked: Promise<Balances> | undefined;
  let first: Driver | undefined;

  const leave = (change: Change) => {
    missing.delete(change);
    if (missing.size === 0 && first !== undefined) turn.resolve(first);
  };

  return {
    lock(db, change, albumId, more) {
      for (const scope of more) scopes.add(scope);
      first ??= db;
      locked ??= turn.promise.then(async (driver) => {
        const rows = await lockRows(driver, [...scopes].sort(), shardOf(albumId, shards), whole);
        return toBalances(rows, (scope) => shards === 1 || whole.has(scope));
      });
      leave(change);
      return locked;
    },
    album(row) {
      const scope = albumScope(row.id);
      const known = albums.get(scope);
      if (known !== undefined || (row.max_bytes === null && row.max_images === null)) return known;
      const used = { images: row.image_count, bytes: row.byte_count };
      const balance = createBalance({ scope, maxBytes: row.max_bytes, maxImages: row.max_images, used }, true);
      albums.set(scope, balance);
      return balance;
    },
    end: leave,
    async spread(db) {
      const balances = (await locked) ?? new Map<QuotaScope, Balance>();
      const ours = [...balances.keys()].filter((scope) => whole.has(scope));
      await Promise.all(ours.map((scope) => spreadRoom(db, shards, scope)));
    },
  };
}

function createBalance(initial: Quota, exact: boolean): Balance {
  let quota = initial;
  return {
    exact,
    get quota() {
      return quota;
    },
    use(usage) {
      quota = { ...quota, used: sum(quota.used, usage) };
    },
  };
}

interface ShardRow extends QuotaRow {
  readonly ceiling_bytes: number;
  readonly ceiling_images: number;
}

const SELECT = "select scope, max_bytes, max_images, bytes, images, ceiling_bytes, ceiling_images from quotas";

/**
 * Locks the shard in each scope, and all shards of those in `whole`. Every transaction locks in the order of scopes and shards, so
 * no two wait for each other.
 */
async function lockRows(
  db: Driver,
  scopes: readonly QuotaScope[],
  shard: number,
  whole: ReadonlySet<QuotaScope>,
): Promise<readonly ShardRow[]> {
  const places = scopes.map((_, index) => `$${index + 2}`);
  const wholePlaces = places.filter((_, index) => whole.has(scopes[index] as QuotaScope));
  const others = wholePlaces.length === 0 ? "" : `or scope in (${wholePlaces.join(", ")})`;
  return db.all<ShardRow>(
    `${SELECT} where scope in (${places.join(", ")}) and (shard = $1 ${others}) order by scope, shard for no key update`,
    [shard, ...scopes],
  );
}

function toBalances(rows: readonly ShardRow[], isExact: (scope: QuotaScope) => boolean): Balances {
  const quotas = Map.groupBy(rows, ({ scope }) => scope);
  return new Map([...quotas].map(([scope, shards]) => [scope, toBalance(shards, isExact(scope))]));
}

function toBalance(shards: readonly ShardRow[], exact: boolean): Balance {
  const [first] = shards as readonly [ShardRow];
  const quota = toQuota({ ...first, ...shards.reduce(sum, NOTHING) });
  if (exact) return createBalance(quota, exact);
  return createBalance(
    {
      ...quota,
      maxBytes: quota.maxBytes === null ? null : first.ceiling_bytes,
      maxImages: quota.maxImages === null ? null : first.ceiling_images,
    },
    exact,
  );
}
