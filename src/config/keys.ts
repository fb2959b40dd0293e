import { type ApiKey, RIGHTS, type Right } from "../domain/access.ts";
import { KEY_NAME } from "../domain/grant.ts";
import { LINK_KEY_ID, type LinkKey, MIN_LINK_SECRET } from "../domain/link.ts";
import { splitList } from "./values.ts";

/** `name:rights:sha256hex`, one per line or separated by commas; rights are joined by `+`. Lines starting with # are comments. */
export const parseApiKeys = (text: string): readonly ApiKey[] => parseEntries(text, parseApiKey);

/** `id:secret`, one per line or separated by commas. Lines starting with # are comments. */
export const parseLinkKeys = (text: string): readonly LinkKey[] => parseEntries(text, parseLinkKey);

/** Messages give the number of the entry and never its text, which may be a secret. */
function parseEntries<Key>(text: string, parseEntry: (entry: string) => Key): readonly Key[] {
  return splitList(text.replace(/^\s*#.*$/gm, "")).map((entry, index) => {
    try {
      return parseEntry(entry);
    } catch (error) {
      throw new Error(`entry ${index + 1}: ${(error as Error).message}`, { cause: error });
    }
  });
}

function parseApiKey(entry: string): ApiKey {
  const [name, rights, sha256, ...rest] = entry.split(":");
  if (rights === undefined || sha256 === undefined || rest.length > 0)
    throw new Error("must be name:rights:sha256hex, the second line that `image-store key` prints");
  if (!KEY_NAME.test(name ?? "")) throw new Error("its name must be 1–64 of A–Z, a–z, 0–9 and . _ @ -");
  if (!/^[0-9a-f]{64}$/i.test(sha256)) throw new Error("its digest must be 64 hexadecimal digits");
  return { name: name as string, rights: parseRights(rights.split("+")), sha256: sha256.toLowerCase() };
}

export function parseRights(names: readonly string[]): ReadonlySet<Right> {
  const unknown = names.filter((name) => !(RIGHTS as readonly string[]).includes(name));
  if (unknown.length > 0) throw new Error(`its rights must be of ${RIGHTS.join(", ")}`);
  return new Set(names as Right[]);
}

export const formatApiKey = (key: ApiKey): string => `${key.name}:${[...key.rights].join("+")}:${key.sha256}`;

function parseLinkKey(entry: string): LinkKey {
  const [id = "", secret, ...rest] = entry.split(":");
  if (secret === undefined || rest.length > 0) throw new Error("must be id:secret");
  if (!LINK_KEY_ID.test(id)) throw new Error("its id must be 1–32 of A–Z, a–z, 0–9, _ and -");
  if (secret.length < MIN_LINK_SECRET || !/^[A-Za-z0-9+/_=-]+$/.test(secret))
    throw new Error("its secret must be 32 random bytes or more, in base64 or hexadecimal");
  return { id, secret };
}
