import { randomInt, timingSafeEqual } from "node:crypto";

/** What a secret of the store's own making opens. */
export type SecretKind = "key" | "ticket" | "share" | "session";

/** How the secrets of each kind begin, so that scanners of source code and logs find them. */
const PREFIXES: Readonly<Record<SecretKind, string>> = {
  key: "imgst",
  ticket: "imgtk",
  share: "imgsh",
  session: "imgse",
};
const KINDS = new Map(Object.entries(PREFIXES).map(([kind, prefix]) => [prefix, kind as SecretKind]));

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ID_DIGITS = 16;
/** 256 bits. */
const RANDOM_DIGITS = 43;
const CHECKSUM_DIGITS = 6;
const FORM = new RegExp(`^(\\w{5})_(\\w{${ID_DIGITS}})_[0-9A-Za-z]{${RANDOM_DIGITS + CHECKSUM_DIGITS}}$`);

/** A secret as a client sent it. Only its digest may be compared or kept. */
export interface ParsedSecret {
  readonly kind: SecretKind;
  /** What it is looked up by. Not secret: events and listings show it. */
  readonly id: string;
  /** Of the whole text, in lower-case hexadecimal. */
  readonly sha256: string;
}

/** `imgst_<id>_<256 random bits><checksum>`. The text is shown once and kept nowhere. */
export function makeSecret(kind: SecretKind): ParsedSecret & { readonly text: string } {
  const id = randomDigits(ID_DIGITS);
  const body = `${PREFIXES[kind]}_${id}_${randomDigits(RANDOM_DIGITS)}`;
  const text = body + checksumOf(body);
  return { kind, id, sha256: digestOf(text), text };
}

/** Undefined for a text that the store never made: another form, or a wrong checksum. */
export function parseSecret(text: string): ParsedSecret | undefined {
  const [, prefix = "", id = ""] = FORM.exec(text) ?? [];
  const kind = KINDS.get(prefix);
  if (kind === undefined || checksumOf(text.slice(0, -CHECKSUM_DIGITS)) !== text.slice(-CHECKSUM_DIGITS))
    return undefined;
  return { kind, id, sha256: digestOf(text) };
}

/** Whether the digests, in lower-case hexadecimal, are equal. The time that it takes says nothing. */
export const sameDigest = (one: string, other: string): boolean =>
  one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));

/** Each request with a secret needs one: node:crypto's takes several times as long. */
export const digestOf = (text: string): string => Bun.SHA256.hash(text, "hex");

/** An id that is not secret. */
export const makeId = (): string => randomDigits(ID_DIGITS);

const randomDigits = (count: number): string =>
  Array.from({ length: count }, () => DIGITS[randomInt(DIGITS.length)]).join("");

/** Tells a mistyped or cut secret from one that the catalog must be asked about. It protects nothing. */
export function checksumOf(text: string): string {
  let rest = Bun.hash.crc32(text);
  let digits = "";
  for (let place = 0; place < CHECKSUM_DIGITS; place += 1) {
    digits = DIGITS[rest % DIGITS.length] + digits;
    rest = Math.floor(rest / DIGITS.length);
  }
  return digits;
}
