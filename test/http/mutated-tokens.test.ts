import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startStore, type TestStore } from "./harness.ts";
import { bearer, createSigner, type TestSigner, tokenSettings } from "./test-tokens.ts";
import { bytesOf, mutateTokens } from "./token-mutations.ts";

const ALGORITHMS = ["ES256", "RS256", "PS256", "EdDSA"] as const;
const MUTATIONS = 10_000;
const AT_ONCE = 32;

let folder: string;
let store: TestStore;
let signers: readonly TestSigner[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "image-store-mutated-"));
  signers = await Promise.all(ALGORITHMS.map((alg) => createSigner(alg)));
  store = await startStore(await tokenSettings(join(folder, "jwks.json"), signers));
});
afterAll(async () => {
  await store[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function statusOf(token: string): Promise<number> {
  const response = await fetch(`${store.url}/v1/albums`, { headers: bearer(token) });
  await response.arrayBuffer();
  return response.status;
}

test(`of ${MUTATIONS} mutated tokens, none is accepted`, async () => {
  const tokens = await Promise.all(
    signers.flatMap((signer) =>
      ["ann", "bob", "550e8400-e29b-41d4-a716-446655440000"].map((sub) => signer.sign({ sub })),
    ),
  );
  // Remembered, so that a mutated token could be taken for one of them.
  for (const token of tokens) expect(await statusOf(token)).toBe(200);

  const mutated = mutateTokens(tokens, MUTATIONS);
  const accepted: string[] = [];
  const waiting = [...mutated];
  const send = async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const status = await statusOf(next[0]);
      if (status !== 401) accepted.push(`${status} for ${next[1]}: ${next[0]}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, send));
  expect(accepted).toEqual([]);
  for (const token of tokens) expect(await statusOf(token)).toBe(200);
});

const create = (token: string, name: string) => store.send("POST", "/v1/albums", { name }, bearer(token));

/** The order of the curve P-256. */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

test("the other of the two ECDSA signatures of a token gives the same caller and no more", async () => {
  // (r, n - s) is as valid as (r, s), and issuers send either. A token's text is no identity: nothing is remembered by it.
  const token = (await signers[0]?.sign()) ?? "";
  const [header, payload, signature = ""] = token.split(".");
  const bytes = bytesOf(signature);
  const s = BigInt(`0x${bytes.subarray(32).toString("hex")}`);
  const other = Buffer.from((ORDER - s).toString(16).padStart(64, "0"), "hex");
  const twin = `${header}.${payload}.${Buffer.concat([bytes.subarray(0, 32), other]).toString("base64url")}`;
  expect((await create(twin, "u-ann-twin")).status).toBe(201);
  expect((await create(twin, "u-bob-twin")).status).toBe(403);
});
