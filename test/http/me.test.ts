import { afterAll, beforeAll, expect, test } from "bun:test";
import { jsonOf, startStore, type TestStore } from "./harness.ts";
import { testKeys } from "./test-keys.ts";

interface Me {
  readonly caller: { readonly kind: string; readonly id: string | null; readonly name: string | null };
  readonly grants: readonly object[];
  readonly expiresAt: string | null;
  readonly limits: Readonly<Record<string, number>>;
  readonly quotas: readonly object[];
}

const { API_KEYS, bearer } = testKeys({ boss: "read+write+admin", writer: "write" });
let store: TestStore;
beforeAll(async () => {
  store = await startStore({ API_KEYS, MAX_UPLOAD: "5MiB", MAX_JSON: "64KiB" });
});
afterAll(() => store[Symbol.asyncDispose]());

const me = async (headers: Readonly<Record<string, string>> = {}, of = store) => {
  const response = await of.fetch("/v1/me", { headers });
  expect([response.status, response.headers.get("cache-control")]).toEqual([200, "no-store"]);
  return jsonOf<Me>(response);
};

test("a caller learns who it is, what it was granted and which limits hold", async () => {
  const { limits, ...own } = await me(bearer("writer"));
  expect(own).toEqual({
    caller: { kind: "key", id: "writer", name: "writer" },
    grants: [{ rights: ["write"], albums: "*" }],
    expiresAt: null,
    quotas: [],
  });
  expect(limits).toMatchObject({ maxUploadBytes: 5 * 1024 * 1024, maxJsonBytes: 65_536, maxPageSize: 1000 });
});

test("a key that was made with some albums until a time shows both", async () => {
  const grants = [{ rights: ["read"], albums: { names: ["client-*"] } }];
  const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
  const made = await store.send("POST", "/v1/keys", { name: "some", grants, expiresAt }, bearer("boss"));
  const { id, secret } = await jsonOf<{ id: string; secret: string }>(made);
  expect(await me({ Authorization: `Bearer ${secret}` })).toMatchObject({
    caller: { kind: "key", id, name: "some" },
    grants,
    expiresAt,
  });
});

test("a client without credentials is anonymous, and local in a store without keys", async () => {
  expect(await me()).toMatchObject({ caller: { kind: "anonymous", id: null }, grants: [], expiresAt: null });
  await using open = await startStore();
  expect((await me({}, open)).caller.kind).toBe("local");
  await using readable = await startStore({ API_KEYS, PUBLIC_READ: "true" });
  expect((await me({}, readable)).grants).toEqual([{ rights: ["read"], albums: "*" }]);
});

test("credentials that are not valid are 401", async () => {
  expect((await store.fetch("/v1/me", { headers: { Authorization: "Bearer wrong" } })).status).toBe(401);
});
