import type { AccessState, Credential, CredentialKind } from "../domain/credential.ts";
import type { Image } from "../domain/image.ts";
import type { Key } from "../domain/key.ts";
import type { Page, PageQuery, PageStart } from "../domain/page.ts";
import type { Miscount, NamedQuota, Quota, QuotaScope } from "../domain/quota.ts";
import type { Share } from "../domain/share.ts";
import type { StoredTicket, Ticket } from "../domain/ticket.ts";
import type { AlbumRef, Visibility } from "../domain/visibility.ts";

/** What the catalog keeps of who may do what. */
export interface AccessCatalog extends QuotaCatalog {
  /** What a secret with this id stands for, revoked and expired ones too; undefined when none was made, or it was deleted. */
  credential(kind: CredentialKind, id: string): Promise<Credential | undefined>;
  accessState(): Promise<AccessState>;
  /** Undefined when none was made. */
  key(id: string): Promise<Key | undefined>;
  /** By the time when they were made. */
  keys(query: KeyQuery): Promise<Page<Key>>;
  /** Undefined also when its album is not live. It may have expired. */
  ticket(id: string): Promise<StoredTicket | undefined>;
  /** Those of an album, also used ones, until some time after their expiry. */
  tickets(query: TicketQuery): Promise<Page<Ticket>>;
  /** For each reference, what is there and visible, in a number of queries that does not grow with theirs. */
  imagesByRefs(refs: readonly ImageRef[], visibility: Visibility): Promise<readonly FoundImage[]>;
  /** Undefined when there is none, or it was revoked. */
  share(id: string): Promise<Share | undefined>;
  /** Those that were not revoked, by the time when they were made. */
  shares(query: ShareQuery): Promise<Page<Share>>;
}

export interface KeyQuery extends Pick<PageQuery, "limit" | "start"> {
  readonly includeRevoked: boolean;
}

export interface ShareQuery extends Pick<PageQuery, "limit" | "start"> {
  readonly albumId: string;
}

/** What the catalog counts. */
export interface QuotaCatalog {
  /** The quotas that are set among these scopes, in their order. Those of albums only while the album is live. */
  quotas(scopes: readonly QuotaScope[]): Promise<readonly Quota[]>;
  /** All quotas, in the order of their scopes. */
  allQuotas(query: QuotaQuery): Promise<Page<NamedQuota>>;
  /** {@link quotas} as they were at most about a second ago: for a hint that costs an upload nothing. */
  recentQuotas(scopes: readonly QuotaScope[]): Promise<readonly Quota[]>;
  /** Counters that do not agree with the images. Reads every image. */
  miscounts(): Promise<readonly Miscount[]>;
}

export interface QuotaQuery {
  readonly start?: PageStart;
  readonly limit: number;
}

export interface TicketQuery extends PageQuery<"createdAt" | "-createdAt"> {
  readonly albumId: string;
}

/** An image by its name or its id. */
export type ImageRef = { readonly album: string; readonly name: string } | { readonly id: string };

/** Neither: no such album, or no such image by its id. */
export interface FoundImage {
  readonly album?: Required<AlbumRef>;
  readonly image?: Image;
}
