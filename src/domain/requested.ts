/** What a change knows of the request that asks for it. */
import type { Right } from "./access.ts";
import type { Actor } from "./event.ts";
import type { AlbumSet, Visibility } from "./visibility.ts";

/** A record's version as its ETag names it; an id is part of it, since a name may be used again. */
export interface RecordVersion {
  readonly id: string;
  readonly revision: number;
}

/**
 * RFC 9110 preconditions, evaluated inside the transaction. `Tag` is a {@link RecordVersion} for records and a digest
 * (hex) for content. `*` means any that exists. A failed one is `precondition_failed`.
 */
export interface Preconditions<Tag> {
  readonly ifMatch?: "*" | readonly Tag[];
  readonly ifNoneMatch?: "*" | readonly Tag[];
  /** In milliseconds since 1970, compared by the second; not evaluated beside `ifMatch`, nor where nothing exists. */
  readonly ifUnmodifiedSince?: number;
}

/**
 * Scope is principal, method and path; fingerprint covers the query and the content. The row is inserted as the first
 * statement of the transaction, so that a racing node waits there and then replays.
 * Another fingerprint under a known key: `idempotency_key_reused`.
 */
export interface Idempotency {
  readonly scope: string;
  readonly key: string;
  readonly fingerprint: string;
}

/** The first answer again, when the change carried an idempotency key that was used before for the same request. */
export interface Replayable<Value> {
  readonly replayed: boolean;
  readonly value: Value;
}

/** Of a change that a request may ask for. Its event says both. */
export interface Requested {
  /** Who asks for it. Absent: the store itself. */
  readonly by?: Requester;
  /** W3C trace context of the request. */
  readonly traceparent?: string;
}

/** A right, and the albums on which a caller has it by its own grants. */
export interface RightOnAlbums {
  readonly right: Right;
  readonly albums: AlbumSet;
}

/** A caller, as a change knows it. */
export interface Requester {
  readonly actor: Actor;
  /** The albums on which it has the right that the change needs, as they are in the transaction: another is not found. */
  readonly albums: Visibility;
  /** Those whose visibility it may change: on which it has the right `share`. */
  readonly shared: Visibility;
  /** Id of the key whose quota counts what it uploads. */
  readonly chargedTo?: string;
}
