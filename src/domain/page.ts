import { StoreError } from "./errors.ts";
import type { LogPosition } from "./event.ts";

export const DEFAULT_PAGE_SIZE = 50;
export const MAX_PAGE_SIZE = 1000;
/** Of a listing of the layout, whose items are small. */
export const MAX_LAYOUT_SIZE = 10_000;

export type OrderKey = "name" | "createdAt" | "updatedAt" | "takenAt";
export type OrderBy = OrderKey | `-${OrderKey}`;
export const ALBUM_ORDERS = ["name", "-name", "createdAt", "-createdAt", "updatedAt", "-updatedAt"] as const;
export type AlbumOrderBy = (typeof ALBUM_ORDERS)[number];
/** By `takenAt`, images without it come last in either direction, by name. */
export const IMAGE_ORDERS: readonly OrderBy[] = [...ALBUM_ORDERS, "takenAt", "-takenAt"];

/** The last item of a page: its order key (a name, or milliseconds since 1970) and its id. The next page begins after. */
export interface PagePosition {
  readonly key: string | number;
  readonly id: string;
}

/** Where a listing goes on, and the watermark of its first page, which every page repeats. */
export interface PageStart {
  readonly after: PagePosition;
  readonly watermark: LogPosition;
}

export interface PageQuery<By extends OrderBy = OrderBy> {
  readonly orderBy: By;
  readonly limit: number;
  readonly start?: PageStart;
  /** A case-sensitive prefix of the name. */
  readonly q?: string;
}

/** `next` is undefined on the last page. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly next: PageStart | undefined;
  /** The log position that the listing reflects: rows and watermark come from one snapshot. */
  readonly watermark: LogPosition;
}

/**
 * An opaque token, bound to `scope`: the listing's filters, order and album id. With another scope it is refused, since
 * a position in one listing means nothing in another.
 */
export function encodePageToken(start: PageStart, scope: string): string {
  const { after, watermark } = start;
  const token = [1, fingerprint(scope), after.key, after.id, watermark.epoch, watermark.seq];
  return Buffer.from(JSON.stringify(token)).toString("base64url");
}

/** @throws StoreError `invalid_page_token` */
export function decodePageToken(text: string, scope: string, orderBy: OrderBy): PageStart {
  let token: unknown;
  try {
    token = JSON.parse(Buffer.from(text, "base64url").toString());
  } catch {
    throw invalid();
  }
  if (!Array.isArray(token) || token.length !== 6) throw invalid();
  const [version, scopeFingerprint, key, id, epoch, seq] = token as unknown[];
  if (version !== 1 || scopeFingerprint !== fingerprint(scope)) throw invalid();
  if (!isKey(key, orderBy) || typeof id !== "string" || !isCount(epoch) || !isCount(seq)) throw invalid();
  return { after: { key, id }, watermark: { epoch, seq } };
}

function isKey(key: unknown, orderBy: OrderBy): key is PagePosition["key"] {
  if (orderBy.endsWith("name")) return typeof key === "string";
  // A picture may have been taken before 1970, or at an unknown time: then the name decides the order.
  if (orderBy.endsWith("takenAt")) return typeof key === "string" || Number.isSafeInteger(key);
  return isCount(key);
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const fingerprint = (scope: string): string => Bun.hash(scope).toString(36);

const invalid = () =>
  new StoreError("invalid_page_token", "The page token is not one of this listing. Begin again without it.");
