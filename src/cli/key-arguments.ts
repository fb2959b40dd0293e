import { parseDuration, parseSize, splitList } from "../config/values.ts";
import { RIGHTS, type Right, ROLES } from "../domain/access.ts";
import { StoreError } from "../domain/errors.ts";
import { type GrantRecord, KEY_NAME, MAX_NAMES, parsePattern } from "../domain/grant.ts";
import { type OptionValues, seeHelp, UsageError } from "./arguments.ts";
import type { CommandName } from "./commands.ts";
import { parseKeyRights } from "./key.ts";

/** The options of a command, and its name for its errors. */
export interface Given extends OptionValues {
  readonly command: CommandName;
}

const usage = ({ command }: Given, message: string) => new UsageError(`${message} ${seeHelp(command)}`);

/** @throws UsageError */
export function readKeyName(given: Given, name: string | undefined): string {
  if (name !== undefined && KEY_NAME.test(name)) return name;
  throw usage(given, `"${given.command}" needs a name of 1 to 64 characters of A–Z, a–z, 0–9 and . _ @ -.`);
}

/**
 * `--role` or `--rights`; undefined without either.
 * @throws UsageError
 */
export function readRights(given: Given): readonly Right[] | undefined {
  const [role, rights] = [given.text("role"), given.text("rights")];
  if (role !== undefined && rights !== undefined)
    throw usage(given, `"${given.command}" needs a role or rights, not both: --role viewer, or --rights read,write.`);
  if (role === undefined && rights === undefined) return undefined;
  const named = role === "admin" ? RIGHTS : ROLES.get(role ?? "");
  if (role !== undefined && named === undefined)
    throw usage(given, `--role must be ${[...ROLES.keys()].join(", ")} or admin, not "${role}".`);
  const chosen = named ?? [...parseKeyRights(splitList(rights ?? ""))];
  if (chosen.length === 0) throw usage(given, "--rights must have at least one right.");
  return chosen;
}

/**
 * `--albums`, as often as it was given; undefined without it. `*` alone is all albums if `mayBeAll`.
 * @throws UsageError
 */
export function readAlbums(given: Given, { mayBeAll }: { readonly mayBeAll: boolean }) {
  const albums = given.texts("albums");
  if (albums.length === 0) return undefined;
  if (mayBeAll && albums.length === 1 && albums[0] === "*") return "*" as const;
  if (albums.length > MAX_NAMES) throw usage(given, `--albums may be given at most ${MAX_NAMES} times.`);
  return { names: albums.map((text) => readPattern(given, text)) };
}

function readPattern(given: Given, text: string): string {
  try {
    return parsePattern(text);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    throw usage(given, `--albums "${text}" is not valid: ${error.message}`);
  }
}

/**
 * `--expires` as milliseconds since 1970; null: never; undefined: not given.
 * @throws UsageError
 */
export function readExpiry(given: Given): number | null | undefined {
  const text = given.text("expires");
  if (text === undefined) return undefined;
  if (text === "never") return null;
  const isTime = /^\d{4}-\d\d-\d\d(T|$)/.test(text);
  const time = isTime ? Date.parse(text) : Date.now() + readDuration(given, text);
  if (Number.isNaN(time)) throw usage(given, `--expires "${text}" is no time.`);
  if (time <= Date.now()) throw usage(given, `--expires "${text}" is not in the future.`);
  return time;
}

/**
 * A time from now, in milliseconds.
 * @throws UsageError
 */
export function readDuration(given: Given, text: string): number {
  try {
    return parseDuration(text);
  } catch {
    throw usage(
      given,
      "--expires must be a time from now such as 30d, or a date and time such as 2027-01-01T00:00:00Z.",
    );
  }
}

/** Limits of a quota: null is none. Those that were not given are absent. */
export interface GivenLimits {
  readonly maxBytes?: number | null;
  readonly maxImages?: number | null;
}

/**
 * `--max-bytes` and `--max-images`.
 * @throws UsageError
 */
export function readLimits(given: Given): GivenLimits {
  const [bytes, images] = [given.text("max-bytes"), given.text("max-images")];
  return {
    ...(bytes === undefined ? {} : { maxBytes: bytes === "none" ? null : readBytes(given, bytes) }),
    ...(images === undefined ? {} : { maxImages: images === "none" ? null : readCount(given, images) }),
  };
}

function readBytes(given: Given, text: string): number {
  try {
    return parseSize(text);
  } catch {
    throw usage(given, `--max-bytes must be a size such as 10GiB, or none, not "${text}".`);
  }
}

function readCount(given: Given, text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw usage(given, `--max-images must be a number or none, not "${text}".`);
}

interface ListedKey {
  readonly id: string;
  readonly name: string;
  readonly grants: readonly GrantRecord[];
  readonly expiresAt: string | null;
  readonly lastUsedAt: string | null;
  readonly revokedAt?: string | null;
}

/** Separated by tabs: id, name, rights and albums, expiry, last use. */
export const lineOfKey = ({ id, name, grants, expiresAt, lastUsedAt, revokedAt = null }: ListedKey): string =>
  [
    id,
    name,
    grants.map(describeGrant).join("; "),
    revokedAt === null ? expiryText(expiresAt) : `revoked ${revokedAt}`,
    lastUsedAt === null ? "not used" : `used ${lastUsedAt}`,
  ].join("\t");

export const expiryText = (time: string | null): string => (time === null ? "does not expire" : `expires ${time}`);

export function describeGrant({ rights, albums }: GrantRecord): string {
  const where = albums === "*" ? "all albums" : [...(albums.names ?? []), ...(albums.ids ?? [])].join(", ");
  return `${rights.join(",")} on ${where}`;
}
