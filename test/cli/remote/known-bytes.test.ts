import { expect, test } from "bun:test";
import { createClient } from "../../../client/src/index.ts";
import { knownBytesOf } from "../../../src/cli/remote/known-bytes.ts";

test("digests that are not urgent go 32 with a request, and the rest when it is needed", async () => {
  const asked: number[] = [];
  const client = createClient({
    url: "http://store.example.com",
    fetch: async (request) => {
      const { sha256 } = (await request.json()) as { readonly sha256: readonly string[] };
      asked.push(sha256.length);
      return Response.json({
        items: sha256.filter((digest) => digest.endsWith("7")).map((digest) => ({ sha256: digest })),
      });
    },
  });
  const known = knownBytesOf(client, new AbortController().signal);
  const answers = Array.from({ length: 40 }, (_, index) => known.has(`digest ${index}`, false));
  known.hurry();
  expect((await Promise.all(answers)).flatMap((isKnown, index) => (isKnown ? [index] : []))).toEqual([7, 17, 27, 37]);
  expect(asked).toEqual([32, 8]);
  known.hurry();
  expect(await known.has("digest 7", true)).toBe(true);
  expect(asked).toEqual([32, 8, 1]);
});
