import { LINK_KEY_ID, type LinkKey, MIN_LINK_SECRET } from "../domain/link.ts";
import { splitList } from "./values.ts";

/**
 * `id:secret` by line or comma; lines that begin with `#` are comments. Messages give the entry's number, never its text,
 * which is a secret.
 */
export function parseLinkKeys(text: string): readonly LinkKey[] {
  return splitList(text.replace(/^\s*#.*$/gm, "")).map((entry, index) => {
    const [id = "", secret, ...rest] = entry.split(":");
    const refuse = (what: string) => new Error(`entry ${index + 1}: ${what}`);
    if (secret === undefined || rest.length > 0) throw refuse("must be id:secret");
    if (!LINK_KEY_ID.test(id)) throw refuse("its id must be 1–32 of A–Z, a–z, 0–9, _ and -");
    if (secret.length < MIN_LINK_SECRET || !/^[A-Za-z0-9+/_=-]+$/.test(secret))
      throw refuse("its secret must be 32 random bytes or more, in base64 or hexadecimal");
    return { id, secret };
  });
}
