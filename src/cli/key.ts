import { createHash, randomBytes } from "node:crypto";
import { formatApiKey, parseRights } from "../config/keys.ts";
import { splitList } from "../config/values.ts";
import { ROLES } from "../domain/access.ts";
import { KEY_NAME } from "../domain/grant.ts";
import { UsageError } from "./arguments.ts";

const EXAMPLE = "For example: image-store key app --rights read,write";

/**
 * Makes a key and its entry for the configuration. The store keeps only the digest in that entry.
 * @throws UsageError
 */
export function makeKey({ keyName, rights }: { keyName: string | undefined; rights: string | undefined }): {
  key: string;
  line: string;
} {
  if (keyName === undefined || !KEY_NAME.test(keyName))
    throw new UsageError(`"key" needs a name of 1 to 64 characters of A–Z, a–z, 0–9 and . _ @ -. ${EXAMPLE}`);
  const names = splitList(rights ?? "");
  if (names.length === 0) throw new UsageError(`"key" needs rights. ${EXAMPLE}`);
  const key = randomBytes(32).toString("base64url");
  const sha256 = createHash("sha256").update(key).digest("hex");
  return { key, line: formatApiKey({ name: keyName, rights: parseKeyRights(names), sha256 }) };
}

export function parseKeyRights(names: readonly string[]) {
  try {
    return parseRights(names.flatMap((name): readonly string[] => ROLES.get(name) ?? [name]));
  } catch (error) {
    throw new UsageError(`The key cannot be made: ${(error as Error).message}.`, { cause: error });
  }
}

/** Printed to standard error; the two lines of the result go to standard output. */
export const KEY_EXPLANATION = `The first line is the key, which is not shown again. Send it as "Authorization: Bearer KEY".
Put the second line into IMAGE_STORE_API_KEYS, or into the file that IMAGE_STORE_API_KEYS_FILE names.
`;
