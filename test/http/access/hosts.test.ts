import { describe, expect, test } from "bun:test";
import { jsonOf, startStore, type TestStore } from "../harness.ts";

const statusFor = async (store: TestStore, host: string, path = "/v1/albums"): Promise<number> =>
  (await store.fetch(path, { headers: { Host: host } })).status;

describe("the Host header", () => {
  const KEYED = { API_KEYS: `app:read:${"0".repeat(64)}`, PUBLIC_READ: "true" };

  test("may have any value with API keys", async () => {
    await using store = await startStore(KEYED);
    expect([await statusFor(store, "rebound.example"), await statusFor(store, "localhost")]).toEqual([200, 200]);
  });

  test.each([{}, KEYED])("must be listed in IMAGE_STORE_ALLOWED_HOSTS, or be an address (%p)", async (env) => {
    await using store = await startStore({
      ...env,
      ALLOWED_HOSTS: "Images.example, store.lan",
      PUBLIC_URL: "https://public.example:8443",
    });
    for (const name of [
      "images.example",
      "IMAGES.example:8080",
      "store.lan",
      "public.example",
      "localhost:1",
      "127.0.0.2",
      "[::1]",
      "192.168.1.5:8080",
      "[fe80::1]:8080",
    ])
      expect([name, await statusFor(store, name), await statusFor(store, name, "/healthz")]).toEqual([name, 200, 200]);
    for (const name of [
      "rebound.example",
      "images.example.evil.example",
      "1.2.3.4.evil.example",
      "lan",
      "images.example.",
    ])
      expect([name, await statusFor(store, name), await statusFor(store, name, "/healthz")]).toEqual([name, 400, 400]);
    const refused = await store.fetch("/v1/albums", { headers: { Host: "lan" } });
    expect((await jsonOf<{ detail: string }>(refused)).detail).toContain(
      "It serves localhost, IP addresses, and the hosts of",
    );
  });
});
