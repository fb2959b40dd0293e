/** Changes to who may do what. Each that takes access away or gives it moves the revision of {@link AccessState}. */
import type { CredentialUse } from "./credential.ts";
import type { GrantRecord } from "./grant.ts";
import type { Key, KeyPatch } from "./key.ts";
import type { QuotaLimits } from "./quota.ts";
import type { Preconditions, RecordVersion, Requested } from "./requested.ts";
import type { Session, SessionOrigin } from "./session.ts";
import type { Share, ShareRight } from "./share.ts";
import type { Ticket, TicketTerms } from "./ticket.ts";
import type { Visibility } from "./visibility.ts";

export type AccessChange =
  | CreateKey
  | UpdateKey
  | RevokeKey
  | NoteUses
  | CreateTicket
  | DeleteTicket
  | PruneTickets
  | CreateShare
  | RevokeShare
  | CreateSession
  | DeleteSession
  | PruneSessions;

export interface AccessChangeResults {
  createKey: Key;
  updateKey: Key;
  revokeKey: RevokedAccess;
  noteUses: null;
  createTicket: Ticket;
  deleteTicket: null;
  pruneTickets: { readonly pruned: number };
  createShare: Share;
  revokeShare: null;
  createSession: Session;
  deleteSession: null;
  pruneSessions: { readonly pruned: number };
}

/** Of a change that gives access. */
interface Giving extends Requested {
  /** What the requester has, which is the most that it may give. Absent: everything. */
  readonly gives?: readonly GrantRecord[];
}

/**
 * `forbidden` when the new key would have what its maker lacks, or would outlive the key that makes it; `unauthorized` when
 * that was revoked or has expired meanwhile.
 */
export interface CreateKey extends Giving {
  readonly type: "createKey";
  readonly id: string;
  readonly sha256: string;
  readonly name: string;
  readonly grants: readonly GrantRecord[];
  /** Milliseconds since 1970; null: never. */
  readonly expiresAt: number | null;
  readonly quota?: QuotaLimits;
}

/** `key_not_found`; `key_not_editable` for a revoked one; refused as {@link CreateKey} where the key would gain anything. */
export interface UpdateKey extends Giving {
  readonly type: "updateKey";
  readonly id: string;
  readonly patch: KeyPatch;
  readonly preconditions?: Preconditions<RecordVersion>;
}

/** `key_not_found`. Revoking one again changes nothing. */
export interface RevokeKey extends Requested {
  readonly type: "revokeKey";
  readonly id: string;
  /** Also the keys that it made, those that these made, and the shares and tickets of all of them. */
  readonly recursive: boolean;
  readonly preconditions?: Preconditions<RecordVersion>;
}

/** How many were revoked. */
export interface RevokedAccess {
  readonly keys: number;
  readonly shares: number;
  readonly tickets: number;
}

/** Records when credentials were last used. No event, and no new revision. */
export interface NoteUses {
  readonly type: "noteUses";
  readonly uses: readonly CredentialUse[];
}

/** `album_not_found` when the album is not live, or its maker may not both share it and write to it. */
export interface CreateTicket extends Requested {
  readonly type: "createTicket";
  readonly id: string;
  /** Of the secret, in lower-case hexadecimal. */
  readonly sha256: string;
  readonly albumId: string;
  readonly terms: TicketTerms;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/** `album_not_found`, `ticket_not_found`. */
export interface DeleteTicket extends Requested {
  readonly type: "deleteTicket";
  readonly albumId: string;
  readonly id: string;
}

/** Removes tickets that expired more than `retention` ago, at most `limit`. */
export interface PruneTickets {
  readonly type: "pruneTickets";
  /** Milliseconds. */
  readonly retention: number;
  readonly limit: number;
}

/**
 * `album_not_found`; `unauthorized` when the key that makes it was revoked or has expired meanwhile. The requester's albums are
 * those that it may share.
 */
export interface CreateShare extends Requested {
  readonly type: "createShare";
  readonly id: string;
  readonly sha256: string;
  readonly albumId: string;
  readonly label: string | null;
  readonly rights: readonly ShareRight[];
  readonly originals: boolean;
  /** Milliseconds since 1970; null: never. */
  readonly expiresAt: number | null;
  /** For each part of what is given, the albums on which the requester has it. */
  readonly within: readonly Visibility[];
}

/** `album_not_found`, `share_not_found`. */
export interface RevokeShare extends Requested {
  readonly type: "revokeShare";
  readonly albumId: string;
  readonly id: string;
}

/** No event, as with all of sessions: what they do has their actor. */
export interface CreateSession {
  readonly type: "createSession";
  readonly id: string;
  readonly sha256: string;
  readonly origin: SessionOrigin;
  /** Milliseconds from now. */
  readonly life: number;
  /** The time in milliseconds since 1970 at which it ends at the latest; null: none. */
  readonly endsBy: number | null;
  /** The session that it takes the place of. */
  readonly replaces?: string;
}

/** Deleting one that is not there changes nothing. */
export interface DeleteSession {
  readonly type: "deleteSession";
  readonly id: string;
}

/** Deletes expired ones. */
export interface PruneSessions {
  readonly type: "pruneSessions";
  readonly limit: number;
}
