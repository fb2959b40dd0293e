import { type FieldError, StoreError } from "./errors.ts";

/** What is counted: the images that records name, and their bytes. */
export interface Usage {
  readonly images: number;
  readonly bytes: number;
}

/** At least one of them is set. */
export interface QuotaLimits {
  readonly maxBytes: number | null;
  readonly maxImages: number | null;
}

/** What a quota is for, by ids. Their order is that of locks, and the first scope that an upload exceeds is reported. */
export type QuotaScope = `albums/${string}` | `keys/${string}` | "store";

export interface Quota extends QuotaLimits {
  readonly scope: QuotaScope;
  readonly used: Usage;
}

export interface NamedQuota extends Quota {
  /** Of the album or the key; null for the store. */
  readonly name: string | null;
}

/** A counter that does not agree with the images. */
export interface Miscount {
  readonly scope: QuotaScope;
  /** Name of the album; null for another scope. */
  readonly album: string | null;
  readonly recorded: Usage;
  readonly counted: Usage;
}

export const albumScope = (id: string): QuotaScope => `albums/${id}`;
export const keyScope = (id: string): QuotaScope => `keys/${id}`;

export const NOTHING: Usage = { images: 0, bytes: 0 };

export const sum = (one: Usage, other: Usage): Usage => ({
  images: one.images + other.images,
  bytes: one.bytes + other.bytes,
});

/** The limit that `more` exceeds. What does not grow is never refused, also above a limit that was lowered. */
export function exceededBy(quota: Quota, more: Usage): "images" | "bytes" | undefined {
  const { maxBytes, maxImages, used } = quota;
  if (maxImages !== null && more.images > 0 && used.images + more.images > maxImages) return "images";
  if (maxBytes !== null && more.bytes > 0 && used.bytes + more.bytes > maxBytes) return "bytes";
  return undefined;
}

const SCOPE_NAMES = { albums: "the album", keys: "the API key", store: "the store" } as const;

/** @param names of the images that do not fit */
export function quotaExceeded(quota: Quota, unit: "images" | "bytes", names: readonly string[] = []): StoreError {
  const { scope, used, maxBytes, maxImages } = quota;
  const limit = unit === "bytes" ? maxBytes : maxImages;
  const of = SCOPE_NAMES[scope.split("/", 1)[0] as keyof typeof SCOPE_NAMES];
  const detail = `The upload does not fit into the quota of ${of}. Used: ${used[unit]} of ${limit} ${unit}.`;
  const errors: FieldError[] = names.map((name) => ({ name, code: "quota_exceeded", detail }));
  return new StoreError("quota_exceeded", detail, { errors, members: { scope, unit, limit, used: used[unit] } });
}

export const quotaNotFound = () => new StoreError("quota_not_found", "There is no such quota.");
