import { createHash, randomBytes } from "node:crypto";
import { formatApiKey, KEY_NAME, parseRights } from "../config/api-keys.ts";
import { splitList } from "../config/values.ts";
import { type Arguments, UsageError } from "./arguments.ts";

/**
 * A new key and the line that lets it in. The key is shown this once and kept nowhere.
 * @throws UsageError
 */
export function makeKey({ keyName, rights }: Pick<Arguments, "keyName" | "rights">): { key: string; line: string } {
  if (keyName === undefined || !KEY_NAME.test(keyName))
    throw new UsageError(
      "A key needs a name of 1–64 of A–Z, a–z, 0–9 and . _ @ -: image-store key NAME --rights read,write",
    );
  const names = splitList(rights ?? "");
  if (names.length === 0) throw new UsageError("A key needs rights: --rights read,write");
  const key = randomBytes(32).toString("base64url");
  const sha256 = createHash("sha256").update(key).digest("hex");
  return { key, line: formatApiKey({ name: keyName, rights: parseKeyRights(names), sha256 }) };
}

function parseKeyRights(names: readonly string[]) {
  try {
    return parseRights(names);
  } catch (error) {
    throw new UsageError(`The key cannot be made: ${(error as Error).message}.`, { cause: error });
  }
}

/** Beside the two lines of the result, which go to standard output alone. */
export const KEY_EXPLANATION = `The first line is the key. It is shown once: send it as "Authorization: Bearer KEY".
The second goes into IMAGE_STORE_API_KEYS, or into the file that IMAGE_STORE_API_KEYS_FILE names.
`;
