import type { Need } from "../domain/access.ts";
import type { Album } from "../domain/album.ts";
import { authorize, type Caller, requesterOf, visibleAlbums } from "../domain/caller.ts";
import { StoreError, shareNotFound } from "../domain/errors.ts";
import type { Page, PageQuery } from "../domain/page.ts";
import type { Share, ShareRight } from "../domain/share.ts";
import type { Visibility } from "../domain/visibility.ts";
import type { Credentials } from "./credentials.ts";
import type { RequestCatalog } from "./request-catalog.ts";
import { requireAlbum } from "./require-album.ts";
import { makeSecret, parseSecret } from "./secrets.ts";

export interface ShareDeps {
  readonly catalog: Pick<RequestCatalog, "album" | "albums" | "share" | "shares" | "write">;
  readonly credentials: Pick<Credentials, "identify" | "refresh">;
}

interface OfAlbum {
  readonly caller: Caller;
  /** Its name. */
  readonly album: string;
}

interface Traced {
  readonly traceparent?: string | undefined;
}

export interface ShareWish extends OfAlbum, Traced {
  readonly label: string | null;
  readonly rights: readonly ShareRight[];
  readonly originals: boolean;
  /** Milliseconds since 1970; null: never. */
  readonly expiresAt: number | null;
}

/**
 * A link by which its holders see the album, with its secret, which is kept nowhere. The caller gives no more than it has.
 * @throws StoreError `album_not_found`, `forbidden`
 */
export async function createShare({ catalog }: ShareDeps, wish: ShareWish): Promise<SharedAlbum & { secret: string }> {
  const { caller, label, rights, originals, expiresAt, traceparent } = wish;
  const needs: readonly Need[] = [...rights, ...(originals ? (["originals"] as const) : [])];
  const album = await requireShareable({ catalog }, wish);
  // By the caller's own grants: an album that is public now may become private.
  for (const need of needs) authorize(caller, need, { id: album.id, name: album.name });
  const { id, sha256, text } = makeSecret("share");
  const share = await catalog.write({
    type: "createShare",
    id,
    sha256,
    albumId: album.id,
    label,
    rights,
    originals,
    expiresAt,
    within: needs.map((need) => ownAlbums(caller, need)),
    by: requesterOf(caller, "share"),
    ...(traceparent === undefined ? {} : { traceparent }),
  });
  return { share, album, secret: text };
}

function ownAlbums(caller: Caller, need: Need): Visibility {
  const albums = visibleAlbums(caller, need);
  return albums === "all" ? albums : { ...albums, public: false };
}

/** A share with its album as that is now. */
export interface SharedAlbum {
  readonly share: Share;
  readonly album: Album;
}

/** @throws StoreError `album_not_found`, `share_not_found`, `forbidden` */
export async function getShare(
  deps: ShareDeps,
  { id, ...of }: OfAlbum & { readonly id: string },
): Promise<SharedAlbum> {
  const album = await requireShareable(deps, of);
  const share = await deps.catalog.share(id);
  if (share?.albumId !== album.id) throw shareNotFound();
  return { share, album };
}

/** Those that were not revoked, the oldest first. @throws StoreError `album_not_found`, `forbidden` */
export async function listShares(
  deps: ShareDeps,
  of: OfAlbum,
  pageOf: (album: Album) => Pick<PageQuery, "limit" | "start">,
): Promise<Page<SharedAlbum>> {
  const album = await requireShareable(deps, of);
  const page = await deps.catalog.shares({ albumId: album.id, ...pageOf(album) });
  return { ...page, items: page.items.map((share) => ({ share, album })) };
}

/**
 * It gives nothing more on this node when this resolves, and within two seconds on every other.
 * @throws StoreError `album_not_found`, `share_not_found`, `forbidden`
 */
export async function revokeShare(
  deps: ShareDeps,
  { id, traceparent, ...of }: OfAlbum & Traced & { readonly id: string },
): Promise<void> {
  const album = await requireShareable(deps, of);
  await deps.catalog.write({
    type: "revokeShare",
    albumId: album.id,
    id,
    by: requesterOf(of.caller, "share"),
    ...(traceparent === undefined ? {} : { traceparent }),
  });
  await deps.credentials.refresh();
}

/**
 * What a link gives to a client that has its secret.
 * @throws StoreError `share_not_found`, also for one that has expired or was revoked; `unavailable`
 */
export async function openShare({ catalog, credentials }: ShareDeps, text: string): Promise<SharedAlbum> {
  const secret = parseSecret(text);
  if (secret?.kind !== "share") throw shareNotFound();
  await identify(credentials, { ...secret, kind: "share" });
  const share = await catalog.share(secret.id);
  if (share === undefined) throw shareNotFound();
  const visibility = { ids: [share.albumId], names: [], public: false };
  const [album] = (await catalog.albums({ visibility, orderBy: "name", limit: 1 })).items;
  if (album === undefined) throw shareNotFound();
  return { share, album };
}

async function identify(credentials: ShareDeps["credentials"], secret: Parameters<Credentials["identify"]>[0]) {
  try {
    return await credentials.identify(secret);
  } catch (error) {
    throw error instanceof StoreError && error.code === "unauthorized" ? shareNotFound() : error;
  }
}

const requireShareable = (deps: Pick<ShareDeps, "catalog">, { caller, album }: OfAlbum): Promise<Album> =>
  requireAlbum(deps, caller, "share", album);
