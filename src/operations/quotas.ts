import { authorize, type Caller, may, requesterOf, visibleAlbums } from "../domain/caller.ts";
import { albumNotFound } from "../domain/errors.ts";
import type { Page, PageStart } from "../domain/page.ts";
import {
  albumScope,
  exceededBy,
  keyScope,
  type NamedQuota,
  NOTHING,
  type Quota,
  type QuotaLimits,
  type QuotaScope,
  quotaExceeded,
  quotaNotFound,
  sum,
  type Usage,
} from "../domain/quota.ts";
import type { RequestCatalog } from "./request-catalog.ts";

export interface QuotaDeps {
  readonly catalog: Pick<RequestCatalog, "album" | "allQuotas" | "quotas" | "write">;
}

/** What a request names: an album by its name. */
export type QuotaTarget = "store" | { readonly album: string } | { readonly key: string };

interface QuotaRequest {
  readonly caller: Caller;
  readonly target: QuotaTarget;
  readonly traceparent?: string | undefined;
}

/** @throws StoreError `forbidden` */
export async function listQuotas(
  { catalog }: QuotaDeps,
  caller: Caller,
  query: { readonly start?: PageStart; readonly limit: number },
): Promise<Page<NamedQuota>> {
  authorize(caller, "admin");
  return catalog.allQuotas(query);
}

/** @throws StoreError `forbidden`, `album_not_found`, `quota_not_found` */
export async function getQuota(deps: QuotaDeps, { caller, target }: QuotaRequest): Promise<Quota> {
  authorize(caller, "admin");
  const [quota] = await deps.catalog.quotas([await scopeOf(deps, target)]);
  if (quota === undefined) throw quotaNotFound();
  return quota;
}

/** Sets or replaces it, also below what is used. @throws StoreError `forbidden`, `album_not_found`, `key_not_found` */
export async function putQuota(deps: QuotaDeps, request: QuotaRequest, limits: QuotaLimits): Promise<Quota> {
  return (await write(deps, request, limits)) as Quota;
}

/** @throws StoreError `forbidden`, `album_not_found`, `quota_not_found` */
export async function deleteQuota(deps: QuotaDeps, request: QuotaRequest): Promise<void> {
  await write(deps, request, null);
}

async function write(deps: QuotaDeps, { caller, target, traceparent }: QuotaRequest, limits: QuotaLimits | null) {
  authorize(caller, "admin");
  return deps.catalog.write({
    type: "setQuota",
    scope: await scopeOf(deps, target),
    limits,
    by: requesterOf(caller, "admin"),
    ...(traceparent === undefined ? {} : { traceparent }),
  });
}

/** Administrators need no right on an album. */
async function scopeOf({ catalog }: QuotaDeps, target: QuotaTarget): Promise<QuotaScope> {
  if (target === "store") return target;
  if ("key" in target) return keyScope(target.key);
  const album = await catalog.album(target.album, "all");
  if (album === undefined) throw albumNotFound();
  return albumScope(album.id);
}

/** Those that limit what the caller uploads, as far as its grants name albums by their ids. */
export async function quotasOn({ catalog }: QuotaDeps, caller: Caller): Promise<readonly Quota[]> {
  if (!may(caller, "write")) return [];
  const albums = visibleAlbums(caller, "write");
  const ids = albums === "all" ? [] : albums.ids;
  return catalog.quotas([...ids.map(albumScope), ...keyScopes(caller), "store"]);
}

const keyScopes = ({ chargedTo }: Caller): readonly QuotaScope[] =>
  chargedTo === undefined ? [] : [keyScope(chargedTo)];

/** An upload, as far as its headers tell. */
export interface AnnouncedUpload {
  readonly caller: Caller;
  readonly album: string;
  readonly albumId: string;
  /** The image that it may replace. */
  readonly replaces?: string | undefined;
  /** At least so many. */
  readonly bytes: number;
}

/**
 * Refuses an upload that cannot fit, before its bytes are sent. What was committed is only a hint: the change decides.
 * @throws StoreError `quota_exceeded`
 */
export async function refuseWithoutRoom(
  catalog: Pick<RequestCatalog, "recentQuotas" | "quotas" | "image">,
  { caller, album, albumId, replaces, bytes }: AnnouncedUpload,
): Promise<void> {
  const scopes = [albumScope(albumId), ...keyScopes(caller), "store"] as const;
  const added = { images: 1, bytes };
  if (findExceeded(await catalog.recentQuotas(scopes), added) === undefined) return;
  const quotas = await catalog.quotas(scopes);
  if (findExceeded(quotas, added) === undefined) return;
  const replaced =
    replaces === undefined ? undefined : await catalog.image(album, replaces, visibleAlbums(caller, "write"));
  const more = sum(added, replaced === undefined ? NOTHING : { images: -1, bytes: -replaced.image.size });
  const quota = findExceeded(quotas, more);
  if (quota !== undefined) throw quotaExceeded(quota, exceededBy(quota, more) ?? "bytes");
}

const findExceeded = (quotas: readonly Quota[], more: Usage): Quota | undefined =>
  quotas.find((quota) => exceededBy(quota, more) !== undefined);
