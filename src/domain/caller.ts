import { type CallerKind, forbidden, type Need, RIGHTS, type Right, rightFor } from "./access.ts";
import { StoreError } from "./errors.ts";
import type { Actor } from "./event.ts";
import type { Requester, RightOnAlbums } from "./requested.ts";
import type { PublicOriginals } from "./variant.ts";
import { type AlbumRef, type AlbumSet, includesAlbum, type Visibility } from "./visibility.ts";

/**
 * Who a request comes from, and what it may do. HTTP identifies the caller once. Operations take it, and authorize here.
 *
 * - `local`: a client of a store without keys, which may do everything.
 * - `anonymous`: no key, on a store that has keys.
 * - `key`: an API key.
 * - `token`: a JWT of the operator's own login.
 * - `session`: a browser that signed in with a key, a token or a share.
 * - `link`: a signed link, which confines its request to what was signed.
 * - `ticket`: an upload ticket, which confines its request to the upload that it is for.
 * - `share`: the link to a shared album.
 */
export interface Caller {
  readonly kind: CallerKind;
  /** Unique within its kind, and never given to another; null where all of the kind are one. */
  readonly id: string | null;
  /** For people. */
  readonly name: string | null;
  readonly grants: readonly Grant[];
  /**
   * Id of the key whose quota counts its uploads: of a session that of its key, of a ticket or share that of the key that made
   * it. Keys from the environment have no quota.
   */
  readonly chargedTo?: string;
  /** Of a session: what it was made with. */
  readonly base?: Pick<Caller, "kind" | "id">;
}

/** Rights on albums: on all, or on those by these ids and names. */
export interface Grant {
  readonly rights: ReadonlySet<Right>;
  readonly albums: "*" | Partial<Pick<AlbumSet, "ids" | "names">>;
  /** The part of `write` that adds images and changes none. */
  readonly mayAdd?: boolean;
  /** False: `read` gives variants only, and not the images as they were uploaded. */
  readonly originals?: boolean;
}

/** Every client of a store without keys. */
export const LOCAL: Caller = {
  kind: "local",
  id: null,
  name: null,
  grants: [{ rights: new Set(RIGHTS), albums: "*" }],
};

/** A client with a signed link: everything that the link says was signed for a caller who may ask for it. */
export const LINKED: Caller = {
  kind: "link",
  id: null,
  name: null,
  grants: [{ rights: new Set<Right>(["read", "transform"]), albums: "*" }],
};

function gives({ rights, mayAdd = false, originals = true }: Grant, need: Need): boolean {
  if (need === "add") return mayAdd || rights.has("write");
  if (need === "originals") return originals && rights.has("read");
  return rights.has(need);
}

/**
 * The albums on which the caller has the right; without one, those on which it has any, which it knows to be there. Every
 * caller may read public albums.
 */
export function visibleAlbums({ grants }: Caller, need?: Need): Visibility {
  let byNeed = visibilities.get(grants);
  if (byNeed === undefined) visibilities.set(grants, (byNeed = new Map()));
  const known = byNeed.get(need);
  if (known !== undefined) return known;
  const found = findVisible(grants, need);
  byNeed.set(need, found);
  return found;
}
/** Grants are never changed, and those of a key are the same for all of its requests. */
const visibilities = new WeakMap<Caller["grants"], Map<Need | undefined, Visibility>>();

function findVisible(grants: Caller["grants"], need: Need | undefined): Visibility {
  const sets: Exclude<Grant["albums"], "*">[] = [];
  for (const grant of grants) {
    const { albums } = grant;
    if (need !== undefined && !gives(grant, need)) continue;
    if (albums === "*") return "all";
    sets.push(albums);
  }
  return {
    ids: [...new Set(sets.flatMap(({ ids = [] }) => ids))].sort(),
    names: [...new Set(sets.flatMap(({ names = [] }) => names))].sort(),
    public: need === undefined || rightFor(need) === "read",
  };
}

/**
 * Whether the caller may do this to the album. Without an album: whether there are any to which it may; `admin`, which is
 * of no album, is needed for all of them.
 */
export function may(caller: Caller, need: Need, album?: AlbumRef): boolean {
  const albums = visibleAlbums(caller, need);
  if (albums === "all") return true;
  if (album !== undefined) return includesAlbum(albums, album);
  return need !== "admin" && (albums.public || albums.ids.length + albums.names.length > 0);
}

export const mayEverywhere = (caller: Caller, right: Right): boolean => visibleAlbums(caller, right) === "all";

/** The albums on which the caller has each right by their names, so that a rename could give it the right. */
export const rightsByName = (caller: Caller): readonly RightOnAlbums[] =>
  RIGHTS.flatMap((right) => {
    const albums = visibleAlbums(caller, right);
    return albums === "all" || albums.names.length === 0 ? [] : [{ right, albums: { ...albums, public: false } }];
  });

/** The caller, as a change that it asks for and that needs the right knows it. The event of the change names it. */
export function requesterOf(caller: Caller, need: Need): Requester {
  const { chargedTo } = caller;
  return {
    actor: actorOf(caller),
    albums: visibleAlbums(caller, need),
    shared: visibleAlbums(caller, "share"),
    ...(chargedTo === undefined ? {} : { chargedTo }),
  };
}

export const actorOf = ({ kind, id, name, base }: Caller): Actor => ({ kind, id, name, ...(base && { base }) });

/** Whether the caller has neither key nor token: several people may use the same link. */
export const isGuest = ({ kind, base }: Caller): boolean => ["anonymous", "link", "share"].includes(base?.kind ?? kind);

/** The albums whose images the caller may have as they were uploaded, with the location that may be in them. */
export function wholeOriginals(caller: Caller, publicOriginals: PublicOriginals): Visibility {
  if (publicOriginals === "whole") return visibleAlbums(caller, "originals");
  const albums = isGuest(caller) ? NONE : visibleAlbums(caller, "originals");
  return albums === "all" ? albums : { ...albums, public: false };
}
const NONE: AlbumSet = { ids: [], names: [], public: false };

/**
 * The one place that refuses a caller. An album that the caller must not know of is for {@link visibleAlbums} to leave
 * out, so that it is answered as one that is not there.
 * @throws StoreError `unauthorized` to a client without a key, `forbidden` to every other
 */
export function authorize(caller: Caller, need: Need, album?: AlbumRef): void {
  if (may(caller, need, album)) return;
  if (caller.kind === "anonymous")
    throw new StoreError("unauthorized", "An API key is needed: Authorization: Bearer <key>.");
  if (need === "originals" && may(caller, "read", album))
    throw new StoreError("original_not_shared", "The share gives variants of the images, not the images as uploaded.");
  const where = album !== undefined && may(caller, need) ? " for this album" : "";
  const what = caller.kind === "key" ? "The API key" : caller.kind === "token" ? "The token" : "The caller";
  throw forbidden(need, `${what} lacks the right "${rightFor(need)}"${where}.`);
}

/**
 * Refuses a caller who has none of the rights on any album.
 * @throws StoreError as {@link authorize}; `forbidden` names all of them as missing
 */
export function authorizeOne(caller: Caller, rights: readonly Right[]): void {
  const [first] = rights;
  if (first === undefined || rights.some((right) => may(caller, right))) return;
  if (caller.kind === "anonymous") authorize(caller, first);
  const names = rights.map((right) => `"${right}"`).join(" or ");
  throw new StoreError("forbidden", `The caller needs the right ${names}, and has none of them.`, {
    members: { missing: rights },
  });
}
