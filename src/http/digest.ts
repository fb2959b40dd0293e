import { StoreError } from "../domain/errors.ts";

/** The algorithms of RFC 9530 that we check; any other is ignored, as it may be. */
const ALGORITHMS = { "sha-256": "sha256", "sha-512": "sha512" } as const;
const LENGTHS = { sha256: 32, sha512: 64 } as const;
type Algorithm = keyof typeof LENGTHS;
export type Digests = ReadonlyMap<Algorithm, Uint8Array>;

// One member of a structured-field dictionary of byte sequences (RFC 8941), with parameters that mean nothing here.
const MEMBER =
  /[ \t]*([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/]*={0,2}):(?:; *[a-z*][a-z0-9_.*-]*(?:=(?:"[^"\\]*"|[A-Za-z0-9_.+*/:-]+))?)*[ \t]*(,|$)/y;

/**
 * The digests of a Content-Digest field.
 * @throws StoreError `invalid_request` for a malformed one
 */
export function parseContentDigest(field: string | null): Digests {
  const digests = new Map<Algorithm, Uint8Array>();
  if (field === null) return digests;
  MEMBER.lastIndex = 0;
  for (let separator = ","; separator === ","; ) {
    const match = MEMBER.exec(field);
    if (match === null) throw malformed();
    const [, key, base64] = match as unknown as [string, string, string];
    separator = match[3] ?? "";
    if (!Object.hasOwn(ALGORITHMS, key)) continue;
    const algorithm = ALGORITHMS[key as keyof typeof ALGORITHMS];
    const digest = Buffer.from(base64, "base64");
    if (digest.length !== LENGTHS[algorithm]) throw malformed();
    digests.set(algorithm, digest);
  }
  return digests;
}

const malformed = () =>
  new StoreError("invalid_request", "The Content-Digest is malformed.", {
    errors: [{ parameter: "Content-Digest", detail: "a dictionary of digests, such as sha-256=:<base64>:" }],
  });

/**
 * The same bytes, hashed as they pass.
 * @throws StoreError `digest_mismatch` after the last of them
 */
export async function* verifyDigests(source: AsyncIterable<Uint8Array>, expected: Digests): AsyncGenerator<Uint8Array> {
  const hashers = [...expected.keys()].map((algorithm) => [algorithm, new Bun.CryptoHasher(algorithm)] as const);
  for await (const chunk of source) {
    for (const [, hasher] of hashers) hasher.update(chunk);
    yield chunk;
  }
  for (const [algorithm, hasher] of hashers) {
    if (Buffer.compare(hasher.digest(), expected.get(algorithm) ?? new Uint8Array()) !== 0) {
      throw new StoreError("digest_mismatch", "The content is not what its Content-Digest says.");
    }
  }
}

/** Repr-Digest of bytes whose SHA-256 is known in hex. */
export const formatDigest = (sha256: string): string => `sha-256=:${Buffer.from(sha256, "hex").toString("base64")}:`;
