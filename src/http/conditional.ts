import { forbidden } from "../domain/access.ts";
import { may } from "../domain/caller.ts";
import type { Preconditions, RecordVersion } from "../domain/change.ts";
import { StoreError } from "../domain/errors.ts";
import { parseHttpDate } from "./http-date.ts";
import type { RouteRequest } from "./route.ts";

interface EntityTag {
  readonly weak: boolean;
  readonly value: string;
}

const TAG = /[ \t]*(?:(W\/)?"([\x21\x23-\x7e\x80-\xff]*)")?[ \t]*(,|$)/y;

/**
 * The tags of an If-Match or If-None-Match field (RFC 9110, 13.1); undefined without one.
 * @throws StoreError `invalid_request` for a malformed field: to guess would be to overwrite
 */
function parseTags(headers: Headers, name: "If-Match" | "If-None-Match"): "*" | readonly EntityTag[] | undefined {
  const field = headers.get(name);
  if (field === null || field.trim() === "*") return field === null ? undefined : "*";
  const tags: EntityTag[] = [];
  TAG.lastIndex = 0;
  for (let separator = ","; separator === ","; ) {
    const match = TAG.exec(field);
    if (match === null) {
      throw new StoreError("invalid_request", `The header ${name} is malformed.`, {
        errors: [{ parameter: name, detail: 'must be "*" or a list of quoted entity tags' }],
      });
    }
    const [, weak, value, next] = match;
    if (value !== undefined) tags.push({ weak: weak !== undefined, value });
    separator = next ?? "";
  }
  return tags;
}

/**
 * Whether a GET is to be answered with the representation of this strong ETag, or with 304. A date counts only where no
 * ETag is given, and where the representation has one (RFC 9110, 13.2.2).
 * @throws StoreError `precondition_failed`
 */
export function evaluateRead(headers: Headers, etag: string, modifiedAt?: number): "send" | "not_modified" {
  const value = etag.slice(1, -1);
  const ifMatch = parseTags(headers, "If-Match");
  if (ifMatch !== undefined && ifMatch !== "*" && !ifMatch.some((tag) => !tag.weak && tag.value === value)) {
    throw new StoreError("precondition_failed", "The current ETag is a different one.");
  }
  if (ifMatch === undefined && isOlder(readDate(headers, "If-Unmodified-Since"), modifiedAt)) {
    throw new StoreError("precondition_failed", "The resource was changed after the time in If-Unmodified-Since.");
  }
  const ifNoneMatch = parseTags(headers, "If-None-Match");
  if (ifNoneMatch === undefined) {
    const since = modifiedAt === undefined ? undefined : readDate(headers, "If-Modified-Since");
    return since === undefined || isOlder(since, modifiedAt) ? "send" : "not_modified";
  }
  return ifNoneMatch === "*" || ifNoneMatch.some((tag) => tag.value === value) ? "not_modified" : "send";
}

/** Undefined without one, and for what is none. */
function readDate(headers: Headers, name: "If-Modified-Since" | "If-Unmodified-Since"): number | undefined {
  const field = headers.get(name);
  return field === null ? undefined : parseHttpDate(field.trim());
}

/** Whether a date of a client's is older than the second of the last change. */
const isOlder = (date: number | undefined, modifiedAt: number | undefined): boolean =>
  date !== undefined && modifiedAt !== undefined && modifiedAt - (modifiedAt % 1000) > date;

/** Whether a Range may be answered with a part: If-Range is absent, or is this strong ETag. A date never is. */
export const ifRangeHolds = (headers: Headers, etag: string): boolean =>
  (headers.get("if-range") ?? etag).trim() === etag;

/** Covers every field of the record, derived ones too, while id and revision are what a write is compared with. */
export const recordTag = (record: RecordVersion, body: string): string =>
  `"${record.id}.${record.revision}.${Bun.hash(body).toString(36)}"`;

/** As good as {@link recordTag} for a write, and says nothing of the other fields, which a digest would let one guess. */
export const versionTag = ({ id, revision }: RecordVersion): string => `"${id}.${revision}.-"`;

export const contentTag = (sha256: string): string => `"${sha256}"`;

/** @throws StoreError `forbidden` */
export const recordPreconditions = (request: WriteRequest): Preconditions<RecordVersion> | undefined =>
  preconditions(request, readVersion);

function readVersion(tag: string): RecordVersion | undefined {
  const match = /^([^.]+)\.(\d{1,15})\.[^.]*$/.exec(tag);
  return match === null ? undefined : { id: match[1] ?? "", revision: Number(match[2]) };
}

/** What a write of a record without a time of its last change demands: a date is ignored. */
export function tagPreconditions(headers: Headers): Preconditions<RecordVersion> | undefined {
  const tags = parseTags(headers, "If-Match");
  if (tags === undefined) return undefined;
  const versions = tags === "*" ? tags : tags.filter((tag) => !tag.weak).map((tag) => readVersion(tag.value));
  return { ifMatch: versions === "*" ? versions : versions.filter((version) => version !== undefined) };
}

/**
 * For a write of what has no ETag: a client that asks for one must not be taken as one that does not.
 * @throws StoreError `precondition_failed`
 */
export function requireNoTag(headers: Headers): void {
  const ifMatch = parseTags(headers, "If-Match");
  if (ifMatch !== undefined && ifMatch !== "*")
    throw new StoreError("precondition_failed", "If-Match names an ETag, but the resource has none.");
}

/** By digest. @throws StoreError `forbidden`: one that holds, or fails, tells which bytes are there */
export function contentPreconditions(request: WriteRequest): Preconditions<string> | undefined {
  const demands = preconditions(request, (value) => (/^[\da-f]{64}$/.test(value) ? value : undefined));
  const tags = [demands?.ifMatch, demands?.ifNoneMatch];
  if (tags.some((given) => given !== undefined && given !== "*")) requireRead(request, "the current bytes");
  return demands;
}

type WriteRequest = Pick<RouteRequest<{ readonly album: string }>, "caller" | "params" | "raw">;

/**
 * What a write demands. A tag that cannot be one of ours matches nothing; a weak one never matches strongly, as If-Match
 * demands.
 * @throws StoreError `forbidden`: dates would tell when a record was changed
 */
function preconditions<Tag>(
  request: WriteRequest,
  read: (value: string) => Tag | undefined,
): Preconditions<Tag> | undefined {
  const { headers } = request.raw;
  const ours = (tags: "*" | readonly EntityTag[]) =>
    tags === "*" ? tags : tags.map((tag) => read(tag.value)).filter((tag) => tag !== undefined);
  const ifMatch = parseTags(headers, "If-Match");
  const ifNoneMatch = parseTags(headers, "If-None-Match");
  const date = ifMatch === undefined ? readDate(headers, "If-Unmodified-Since") : undefined;
  if (date !== undefined) requireRead(request, "the time of the last change");
  if (ifMatch === undefined && ifNoneMatch === undefined && date === undefined) return undefined;
  return {
    ...(ifMatch === undefined ? {} : { ifMatch: ours(ifMatch === "*" ? ifMatch : ifMatch.filter((tag) => !tag.weak)) }),
    ...(ifNoneMatch === undefined ? {} : { ifNoneMatch: ours(ifNoneMatch) }),
    ...(date === undefined ? {} : { ifUnmodifiedSince: date }),
  };
}

/** By the name of the album, whether it is there or not: a caller who may read it by its id only is refused. */
function requireRead({ caller, params }: WriteRequest, what: string): void {
  if (may(caller, "read", { name: params.album })) return;
  throw forbidden("read", `A condition on ${what} needs the right "read"; "*" and the ETag of a record do not.`);
}
