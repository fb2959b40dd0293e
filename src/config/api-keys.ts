import { type ApiKey, RIGHTS, type Right } from "../domain/access.ts";
import { splitList } from "./values.ts";

/** A principal goes into logs and idempotency scopes: nothing in it may need escaping there. */
export const KEY_NAME = /^[A-Za-z0-9._@-]{1,64}$/;

/**
 * `name:rights:sha256hex` by line or comma; rights joined by `+`; lines that begin with `#` are comments. Messages give
 * the entry's number, never its text, since somebody will put the key itself there.
 */
export function parseApiKeys(text: string): readonly ApiKey[] {
  const entries = splitList(text.replace(/^\s*#.*$/gm, ""));
  return entries.map((entry, index) => {
    try {
      return parseApiKey(entry);
    } catch (error) {
      throw new Error(`entry ${index + 1}: ${(error as Error).message}`, { cause: error });
    }
  });
}

function parseApiKey(entry: string): ApiKey {
  const [name, rights, sha256, ...rest] = entry.split(":");
  if (rights === undefined || sha256 === undefined || rest.length > 0)
    throw new Error("must be name:rights:sha256hex, the line that `image-store key` prints");
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
