import { StoreError } from "../domain/errors.ts";

/** The algorithms of RFC 9530 that we check; any other is ignored, as it may be. */
const ALGORITHMS = { "sha-256": "sha256", "sha-512": "sha512" } as const;
const LENGTHS = { sha256: 32, sha512: 64, md5: 16 } as const;
type Algorithm = keyof typeof LENGTHS;

/** What a request says of its body: the field that says it, and a digest. */
export interface ExpectedDigest {
  readonly field: "Content-Digest" | "Repr-Digest" | "Content-MD5";
  readonly algorithm: Algorithm;
  readonly digest: Uint8Array;
}

// One member of a structured-field dictionary of byte sequences (RFC 8941), with parameters that mean nothing here.
const MEMBER =
  /[ \t]*([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/]*={0,2}):(?:; *[a-z*][a-z0-9_.*-]*(?:=(?:"[^"\\]*"|[A-Za-z0-9_.+*/:-]+))?)*[ \t]*(,|$)/y;

/**
 * The digests that a request states. A body has no Content-Encoding here, so its representation is its content.
 * @throws StoreError `invalid_request` for a malformed one
 */
export function parseDigests(headers: Headers): readonly ExpectedDigest[] {
  return [
    ...parseDictionary("Content-Digest", headers.get("content-digest")),
    ...parseDictionary("Repr-Digest", headers.get("repr-digest")),
    ...parseMd5(headers.get("content-md5")),
  ];
}

function parseDictionary(field: "Content-Digest" | "Repr-Digest", value: string | null): ExpectedDigest[] {
  const digests = new Map<Algorithm, ExpectedDigest>();
  if (value === null) return [];
  MEMBER.lastIndex = 0;
  for (let separator = ","; separator === ","; ) {
    const match = MEMBER.exec(value);
    if (match === null) throw malformed(field);
    const [, key, base64] = match as unknown as [string, string, string];
    separator = match[3] ?? "";
    if (!Object.hasOwn(ALGORITHMS, key)) continue;
    const algorithm = ALGORITHMS[key as keyof typeof ALGORITHMS];
    const digest = Buffer.from(base64, "base64");
    if (digest.length !== LENGTHS[algorithm]) throw malformed(field);
    digests.set(algorithm, { field, algorithm, digest });
  }
  return [...digests.values()];
}

/** RFC 1864. Obsolete, and what many libraries still send. */
function parseMd5(value: string | null): ExpectedDigest[] {
  if (value === null) return [];
  if (!/^[A-Za-z0-9+/]{22}==$/.test(value)) throw malformed("Content-MD5");
  return [{ field: "Content-MD5", algorithm: "md5", digest: Buffer.from(value, "base64") }];
}

const malformed = (field: ExpectedDigest["field"]) => {
  const detail = field === "Content-MD5" ? "16 bytes in base64" : "a dictionary of digests, such as sha-256=:<base64>:";
  return new StoreError("invalid_request", `The header ${field} is malformed.`, {
    errors: [{ parameter: field, detail }],
  });
};

/**
 * The same bytes, hashed as they pass.
 * @throws StoreError `digest_mismatch` after the last of them
 */
export async function* verifyDigests(
  source: AsyncIterable<Uint8Array>,
  expected: readonly ExpectedDigest[],
): AsyncGenerator<Uint8Array> {
  const algorithms = new Set(expected.map(({ algorithm }) => algorithm));
  const hashers = [...algorithms].map((algorithm) => [algorithm, new Bun.CryptoHasher(algorithm)] as const);
  for await (const chunk of source) {
    for (const [, hasher] of hashers) hasher.update(chunk);
    yield chunk;
  }
  const actual = new Map(hashers.map(([algorithm, hasher]) => [algorithm, hasher.digest()]));
  for (const { field, algorithm, digest } of expected) {
    if (Buffer.compare(actual.get(algorithm) ?? new Uint8Array(), digest) === 0) continue;
    throw new StoreError("digest_mismatch", `The body does not match its ${field}.`, {
      errors: [{ parameter: field, detail: "is not the digest of the received bytes" }],
    });
  }
}

/** Repr-Digest of bytes whose SHA-256 is known in hex. */
export const formatDigest = (sha256: string): string => `sha-256=:${Buffer.from(sha256, "hex").toString("base64")}:`;
