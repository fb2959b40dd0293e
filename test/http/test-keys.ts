import { createHash } from "node:crypto";

/** API keys for a test store, by name and rights: `testKeys({ reader: "read" })`. */
export function testKeys<Name extends string>(rights: Readonly<Record<Name, string>>) {
  const secretOf = (name: Name): string => `${name}-${"k".repeat(40)}`;
  const digestOf = (name: Name): string => createHash("sha256").update(secretOf(name)).digest("hex");
  const names = Object.keys(rights) as Name[];
  return {
    /** The value of IMAGE_STORE_API_KEYS. */
    API_KEYS: names.map((name) => `${name}:${rights[name]}:${digestOf(name)}`).join(),
    secretOf,
    bearer: (name: Name) => ({ Authorization: `Bearer ${secretOf(name)}` }),
  };
}
