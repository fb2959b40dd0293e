import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseDigests } from "../../../src/http/digest.ts";

const bytesOfLength = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");

describe("Content-Digest", () => {
  test("is read back as it was written, whatever surrounds it", () => {
    const other = fc.constantFrom("", "md5=:YWJj:", "unixsum=:YQ==:;a=1;b", 'crc32c=:AA==:;c="x,y"');
    fc.assert(
      fc.property(
        bytesOfLength(32),
        bytesOfLength(64),
        other,
        fc.constantFrom(",", ", ", " ,\t"),
        (short, long, more, comma) => {
          const members = [`sha-256=:${base64(short)}:`, more, `sha-512=:${base64(long)}:`];
          const value = members.filter((member) => member !== "").join(comma);
          for (const field of ["Content-Digest", "Repr-Digest"]) {
            const digests = parseDigests(new Headers({ [field]: value }));
            expect(digests.map(({ algorithm, digest }) => [algorithm, base64(digest)])).toEqual([
              ["sha256", base64(short)],
              ["sha512", base64(long)],
            ]);
          }
        },
      ),
    );
  });

  test("is parsed or refused soon, for any text", () => {
    const unit = fc.constantFrom(...'sha-256=:;, \t"abcAB09+/*._x\\'.split(""), "sha-256=:", "=:YWJj:", '="');
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 3000 }), (field) => {
        try {
          parseDigests(new Headers({ "Content-Digest": field }));
        } catch (error) {
          expect(error).toMatchObject({ code: "invalid_request" });
        }
      }),
      { numRuns: 1000 },
    );
    expect(parseDigests(new Headers())).toEqual([]);
  });
});
