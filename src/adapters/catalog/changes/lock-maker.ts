import { StoreError } from "../../../domain/errors.ts";
import { makerOf, STORE } from "../../../domain/event.ts";
import type { Requester } from "../../../domain/requested.ts";
import type { Driver } from "../driver.ts";
import type { KeyRow } from "../queries/keys.ts";

const LOCK = "select grants, expires_at, revoked_at from keys where id = $1 for no key update";

/**
 * The key with which a requester gives access to others, as it is now. It stays locked until the transaction ends: so a
 * revocation sees what the key made, or the key sees its revocation. Undefined for a key of the configuration, and without a key.
 * @throws StoreError `unauthorized` when it is not valid any more
 */
export async function lockMaker(db: Driver, now: number, by: Requester | undefined) {
  const { kind, id } = makerOf(by?.actor ?? STORE);
  if (kind !== "key") return undefined;
  const maker = await db.get<Pick<KeyRow, "grants" | "expires_at" | "revoked_at">>(LOCK, [id]);
  if (maker === undefined) return undefined;
  if (maker.revoked_at !== null || (maker.expires_at !== null && maker.expires_at <= now))
    throw new StoreError("unauthorized", "The API key is not valid any more.");
  return maker;
}
