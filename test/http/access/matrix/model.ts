import type { CallerKind, Right } from "../../../../src/domain/access.ts";
import type { RouteDefinition } from "../../../../src/http/route.ts";

/** Who may do what, said again without the code that decides it: what docs/access.md promises, as functions. */

export interface ModelGrant {
  readonly rights: readonly Right[];
  readonly albums: "*" | { readonly ids?: readonly string[]; readonly names?: readonly string[] };
  /** Its `write` adds images and changes none. */
  readonly addsOnly?: boolean;
  /** Its `read` is without the images as uploaded. */
  readonly variantsOnly?: boolean;
}

export interface ModelCaller {
  readonly kind: CallerKind;
  readonly grants: readonly ModelGrant[];
}

/** An album, or the name of none. */
export interface Place {
  readonly name: string;
  /** Undefined where there is no such album. */
  readonly id: string | undefined;
  readonly isPublic: boolean;
}

/** `add` is the part of `write` that a share may have, `original` the part of `read` that it may lack. */
export type ModelNeed = Right | "add" | "original";

export interface Asked {
  readonly place?: Place | undefined;
  /** The album must not be there yet. */
  readonly creates?: boolean;
  /** What the request needs beyond what its route needs, with the code of the refusal. */
  readonly also?: readonly { readonly need: ModelNeed; readonly code: string }[];
  /** That an album is public gives nothing here. */
  readonly byOwnGrants?: boolean;
}

/** `undefined`: the caller may. */
export type Refusal =
  | { readonly status: number; readonly code: string; readonly missing?: readonly Right[] }
  | undefined;

const covers = ({ albums }: ModelGrant, { id, name }: Place): boolean => {
  if (albums === "*") return true;
  if (id !== undefined && albums.ids?.includes(id) === true) return true;
  for (const pattern of albums.names ?? []) {
    if (pattern === name) return true;
    if (pattern.at(-1) === "*" && name.slice(0, pattern.length - 1) === pattern.slice(0, -1)) return true;
  }
  return false;
};

const gives = ({ rights, addsOnly, variantsOnly }: ModelGrant, need: ModelNeed): boolean => {
  if (need === "add") return rights.includes("write");
  if (need === "write") return rights.includes("write") && addsOnly !== true;
  if (need === "original") return rights.includes("read") && variantsOnly !== true;
  return rights.includes(need);
};

const isRead = (need: ModelNeed) => need === "read" || need === "original";

export const rightOf = (need: ModelNeed): Right => (need === "add" ? "write" : need === "original" ? "read" : need);

export const holds = ({ grants }: ModelCaller, need: ModelNeed, place: Place): boolean =>
  (place.isPublic && isRead(need)) || grants.some((grant) => gives(grant, need) && covers(grant, place));

/** Whether there may be an album where the caller has it. Everyone may read what is public. */
const holdsSomewhere = ({ grants }: ModelCaller, need: ModelNeed): boolean =>
  isRead(need) || grants.some((grant) => gives(grant, need) && (need !== "admin" || grant.albums === "*"));

/** A caller knows of the albums on which it has any right, and of public ones. */
export const sees = ({ grants }: ModelCaller, place: Place): boolean =>
  place.id !== undefined && (place.isPublic || grants.some((grant) => covers(grant, place)));

/** Only some routes accept a link. */
const NO_SUCH_PARAMETER = { status: 400, code: "unknown_parameter" };
const HAS_NO_CREDENTIALS: readonly CallerKind[] = ["anonymous", "link"];

/** How the caller is refused. */
export function refusalOf(definition: RouteDefinition, caller: ModelCaller, asked: Asked): Refusal {
  const { right } = definition;
  const takesQuery = definition.takesAnyQuery === true;
  if (right === "open") return caller.kind === "link" && !takesQuery ? NO_SUCH_PARAMETER : undefined;
  if (caller.kind === "ticket") return { status: 401, code: "unauthorized" };
  const rights = right === "any" ? [] : typeof right === "string" ? [right] : right;
  const needs = rights.map((one): ModelNeed => (one === "write" && definition.addsImages === true ? "add" : one));
  const missing = needs.filter((need) => !holdsSomewhere(caller, need));
  const { oneOf } = definition;
  if (oneOf?.every((one) => !holdsSomewhere(caller, one)) === true)
    return HAS_NO_CREDENTIALS.includes(caller.kind)
      ? { status: 401, code: "unauthorized" }
      : { status: 403, code: ["forbidden", ...oneOf].join(" ") };
  if (missing.length > 0)
    return HAS_NO_CREDENTIALS.includes(caller.kind)
      ? { status: 401, code: "unauthorized" }
      : { status: 403, code: "forbidden", missing: missing.map(rightOf) };
  // A signed link gives nothing but what it was signed for.
  if (caller.kind === "link") return NO_SUCH_PARAMETER;
  if (asked.place === undefined) return undefined;
  // An administrator needs no right on an album.
  if (rights.includes("admin"))
    return asked.place.id === undefined ? { status: 404, code: "album_not_found" } : undefined;
  return refusalAt(definition, caller, { ...asked, place: asked.place }, needs);
}

function refusalAt(
  { operationId, path }: RouteDefinition,
  caller: ModelCaller,
  { place, creates = false, also = [], byOwnGrants = false }: Asked & { readonly place: Place },
  needs: readonly ModelNeed[],
): Refusal {
  const at = byOwnGrants ? { ...place, isPublic: false } : place;
  const lacks = (need: ModelNeed) => !holds(caller, need, at);
  const missing = needs.filter(lacks);
  const mayCreate = creates || operationId === "putAlbum";
  if (!sees(caller, place) && !(mayCreate && place.id === undefined && (creates || missing.length === 0)))
    return { status: 404, code: path.startsWith("/v1/images/") ? "image_not_found" : "album_not_found" };
  if (missing.length > 0) return { status: 403, code: "forbidden", missing: missing.map(rightOf) };
  const first = also.find(({ need }) => lacks(need));
  if (first === undefined) return undefined;
  const { code, need } = first;
  return { status: 403, code, ...(need === "original" ? {} : { missing: [rightOf(need)] }) };
}
