import type { Preconditions, RecordVersion } from "../domain/change.ts";
import { StoreError } from "../domain/errors.ts";

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
 * Whether a GET is to be answered with the representation of this strong ETag, or with 304.
 * @throws StoreError `precondition_failed`
 */
export function evaluateRead(headers: Headers, etag: string): "send" | "not_modified" {
  const value = etag.slice(1, -1);
  const ifMatch = parseTags(headers, "If-Match");
  if (ifMatch !== undefined && ifMatch !== "*" && !ifMatch.some((tag) => !tag.weak && tag.value === value)) {
    throw new StoreError("precondition_failed", "The present ETag is another.");
  }
  const ifNoneMatch = parseTags(headers, "If-None-Match");
  if (ifNoneMatch === undefined) return "send";
  return ifNoneMatch === "*" || ifNoneMatch.some((tag) => tag.value === value) ? "not_modified" : "send";
}

/** Whether a Range may be answered with a part: If-Range is absent, or is this strong ETag. A date never is. */
export const ifRangeHolds = (headers: Headers, etag: string): boolean =>
  (headers.get("if-range") ?? etag).trim() === etag;

/** Covers every field of the record, derived ones too, while id and revision are what a write is compared with. */
export const recordTag = (record: RecordVersion, body: string): string =>
  `"${record.id}.${record.revision}.${Bun.hash(body).toString(36)}"`;

export const contentTag = (sha256: string): string => `"${sha256}"`;

/** What a write of a record demands. */
export const recordPreconditions = (headers: Headers): Preconditions<RecordVersion> | undefined =>
  preconditions(headers, (value) => {
    const match = /^([^.]+)\.(\d{1,15})\.[^.]*$/.exec(value);
    return match === null ? undefined : { id: match[1] ?? "", revision: Number(match[2]) };
  });

/** What a write of content demands, by digest. */
export const contentPreconditions = (headers: Headers): Preconditions<string> | undefined =>
  preconditions(headers, (value) => (/^[\da-f]{64}$/.test(value) ? value : undefined));

/** A tag that cannot be one of ours matches nothing; a weak one never matches strongly, as If-Match demands. */
function preconditions<Tag>(
  headers: Headers,
  read: (value: string) => Tag | undefined,
): Preconditions<Tag> | undefined {
  const ours = (tags: "*" | readonly EntityTag[]) =>
    tags === "*" ? tags : tags.map((tag) => read(tag.value)).filter((tag) => tag !== undefined);
  const ifMatch = parseTags(headers, "If-Match");
  const ifNoneMatch = parseTags(headers, "If-None-Match");
  if (ifMatch === undefined && ifNoneMatch === undefined) return undefined;
  return {
    ...(ifMatch === undefined ? {} : { ifMatch: ours(ifMatch === "*" ? ifMatch : ifMatch.filter((tag) => !tag.weak)) }),
    ...(ifNoneMatch === undefined ? {} : { ifNoneMatch: ours(ifNoneMatch) }),
  };
}
