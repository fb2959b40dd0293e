import { RIGHTS, type Right } from "./access.ts";
import { type Caller, type Grant, visibleAlbums } from "./caller.ts";
import { StoreError } from "./errors.ts";
import { parseName } from "./names.ts";
import { type NamePattern, prefixOf, type Visibility } from "./visibility.ts";

/** A grant as requests, answers, events and the catalog write it. */
export interface GrantRecord {
  readonly rights: readonly Right[];
  readonly albums: "*" | { readonly ids?: readonly string[]; readonly names?: readonly NamePattern[] };
}

/** Of one key. Each name is a condition of the queries that its requests make. */
export const MAX_GRANTS = 16;
export const MAX_NAMES = 100;
export const MAX_IDS = 500;
/** Of all grants as JSON, since the event of their key is under 32 KiB. */
export const MAX_GRANTS_BYTES = 24 * 1024;

export const isTooLong = (grants: readonly GrantRecord[]): boolean =>
  Buffer.byteLength(JSON.stringify(grants)) > MAX_GRANTS_BYTES;

/** A key's name appears in logs and idempotency scopes; these characters need no escaping there. */
export const KEY_NAME = /^[A-Za-z0-9._@-]{1,64}$/;

/**
 * A pattern as it is stored: the name, or the beginning of names, in NFC.
 * @throws StoreError `invalid_name`
 */
export function parsePattern(text: string): NamePattern {
  const prefix = prefixOf(text);
  if (prefix === "") throw new StoreError("invalid_name", 'For all albums, albums must be "*" and no list of names.');
  return prefix === undefined ? parseName(text) : `${parseName(prefix)}*`;
}

/** With each right, id and name once, in one order. */
export const canonicalGrant = ({ rights, albums }: GrantInput): GrantRecord => ({
  rights: RIGHTS.filter((right) => rights.includes(right)),
  albums:
    albums === "*"
      ? albums
      : {
          ...(albums.ids === undefined || albums.ids.length === 0 ? {} : { ids: unique(albums.ids) }),
          ...(albums.names === undefined || albums.names.length === 0 ? {} : { names: unique(albums.names) }),
        },
});

interface GrantInput {
  readonly rights: readonly Right[];
  readonly albums:
    | "*"
    | { readonly ids?: readonly string[] | undefined; readonly names?: readonly string[] | undefined };
}

const unique = (texts: readonly string[]): readonly string[] => [...new Set(texts)].sort();

export const toGrant = ({ rights, albums }: GrantRecord): Grant => ({ rights: new Set(rights), albums });

export const toGrantRecord = ({ rights, albums }: Grant): GrantRecord =>
  canonicalGrant({ rights: [...rights], albums });

/**
 * The first right that the grants would give on an album where the caller lacks it; undefined when they give nothing that the
 * caller lacks. An id never stands for a name, nor a name for an id: an album may be renamed.
 */
export function rightBeyond(caller: Pick<Caller, "grants">, grants: readonly Grant[]): Right | undefined {
  for (const { rights, albums } of grants)
    for (const right of rights) if (!includesAll(visibleAlbums(caller as Caller, right), albums)) return right;
  return undefined;
}

/** Whether each album that is or ever will be in `albums` is in `visibility` too. */
function includesAll(visibility: Visibility, albums: Grant["albums"]): boolean {
  if (visibility === "all") return true;
  if (albums === "*") return false;
  const { ids = [], names = [] } = albums;
  return (
    ids.every((id) => visibility.ids.includes(id)) &&
    names.every((name) => visibility.names.some((pattern) => includesPattern(pattern, name)))
  );
}

function includesPattern(pattern: NamePattern, other: NamePattern): boolean {
  const prefix = prefixOf(pattern);
  return prefix === undefined ? pattern === other : (prefixOf(other) ?? other).startsWith(prefix);
}
