import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { type App, createApp } from "../../../src/app.ts";
import { parseApiKeys } from "../../../src/config/keys.ts";
import { parseConfig } from "../../../src/config.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";
import { until } from "../../waiting.ts";
import { jsonOf, startStore, type TestStore } from "../harness.ts";
import { newPng } from "../image-fixtures.ts";
import { testKeys } from "../test-keys.ts";

const ALL = "read+write+delete+transform+share+events+admin";
const before = testKeys({ boss: ALL, site: "read+write+share" });
const { bearer } = before;
const boss = bearer("boss");

async function codeOf(answer: Promise<Response>): Promise<[number, string | undefined]> {
  const response = await answer;
  return [response.status, (await jsonOf<{ code?: string }>(response)).code];
}

const contentPath = (name: string) => `/v1/albums/a/images/${name}/content`;

describe("when a key of the configuration is replaced", () => {
  let folder: string;
  let app: App;
  let replace: (keys: string) => Promise<void>;
  beforeAll(async () => {
    folder = await newFolder("access-ends");
    const settings = { DATA: folder, PORT: "0", MIN_FREE: "0", LOG_LEVEL: "silent", DESCRIBE: "false" };
    const named = Object.entries({ ...settings, API_KEYS: before.API_KEYS });
    const env = Object.fromEntries(named.map(([name, value]) => [`IMAGE_STORE_${name}`, value]));
    const config = parseConfig({ env, readFile: (path) => readFileSync(path, "utf8") });
    app = await createApp(config);
    replace = (keys) => app.replaceKeys({ ...config, apiKeys: parseApiKeys(keys) });
    await send("PUT", "/v1/albums/a", boss);
  });
  afterAll(async () => {
    await app[Symbol.asyncDispose]();
    await removeFolder(folder);
  });

  const send = (method: string, path: string, headers: Record<string, string>, body?: object) =>
    fetch(app.url + path, {
      method,
      headers: { ...headers, ...(body && { "Content-Type": "application/json" }) },
      ...(body && { body: JSON.stringify(body) }),
    });
  async function signIn(name: "boss" | "site") {
    const own = { Origin: app.url, "Sec-Fetch-Site": "same-origin" };
    const response = await send("POST", "/v1/session", { ...own, ...bearer(name) });
    expect(response.status).toBe(201);
    return { ...own, Cookie: (response.headers.get("set-cookie") ?? "").split(";", 1)[0] ?? "" };
  }

  test("a session made with it ends, although another key has its name", async () => {
    const session = await signIn("site");
    expect((await send("GET", "/v1/albums/a", session)).status).toBe(200);
    await replace(before.API_KEYS);
    expect((await send("GET", "/v1/albums/a", session)).status).toBe(200);
    const [bossKey = "", siteKey = ""] = before.API_KEYS.split(",");
    const [name, rights] = siteKey.split(":");
    await replace(`${bossKey},${name}:${rights}:${"5f".repeat(32)}`);
    expect(await codeOf(send("GET", "/v1/albums/a", session))).toEqual([401, "session_ended"]);
    await replace(before.API_KEYS);
  });

  test("a ticket made with a session of it ends, as one made with itself", async () => {
    const makers = [bearer("site"), await signIn("site")];
    const urls = await Promise.all(
      makers.map(async (maker) => {
        const made = await send("POST", "/v1/albums/a/tickets", maker, {});
        expect(made.status).toBe(201);
        return ((await made.json()) as { url: string }).url;
      }),
    );
    await replace(before.API_KEYS.split(",")[0] ?? "");
    for (const url of urls) {
      const upload = fetch(app.url + url, { method: "PUT", body: newPng() });
      expect(await codeOf(upload)).toEqual([404, "ticket_not_found"]);
    }
    await replace(before.API_KEYS);
  });
});

describe("while the bytes of an upload arrive", () => {
  let store: TestStore;
  let now = Date.now();
  beforeAll(async () => {
    store = await startStore({ API_KEYS: before.API_KEYS }, { now: () => now });
    await store.send("PUT", "/v1/albums/a", {}, boss);
  });
  afterAll(() => store[Symbol.asyncDispose]());

  const GRANTS = [{ rights: ["read", "write", "share"], albums: { names: ["a"] } }];
  async function newKey() {
    const response = await store.send("POST", "/v1/keys", { name: "leaked", grants: GRANTS }, boss);
    const { id, secret } = await jsonOf<{ id: string; secret: string }>(response);
    return { id, by: { Authorization: `Bearer ${secret}` } };
  }

  async function uploadsInFlight(): Promise<number> {
    const metrics = await (await store.fetch("/metrics", { headers: boss })).text();
    return Number(/^image_store_uploads_in_flight (\d+)$/m.exec(metrics)?.[1]);
  }

  /** The answer to an upload of which the last half comes when `change` is done. */
  async function uploadAround(path: string, headers: Record<string, string>, change: () => Promise<unknown>) {
    const bytes = newPng(100_000);
    const half = bytes.length >> 1;
    const goOn = Promise.withResolvers<void>();
    async function* body() {
      yield bytes.subarray(0, half);
      await goOn.promise;
      yield bytes.subarray(half);
    }
    const answer = fetch(store.url + path, { method: "PUT", headers, body: body() as unknown as ReadableStream });
    await until(async () => (await uploadsInFlight()) > 0);
    await change();
    goOn.resolve();
    return answer;
  }
  const isThere = async (name: string) =>
    (await store.fetch(`/v1/albums/a/images/${name}`, { headers: boss })).status === 200;

  test("a key that is revoked stores nothing more", async () => {
    const { id, by } = await newKey();
    const revoke = () => store.fetch(`/v1/keys/${id}`, { method: "DELETE", headers: boss });
    expect(await codeOf(uploadAround(contentPath("late"), by, revoke))).toEqual([401, "unauthorized"]);
    expect(await isThere("late")).toBe(false);
  });

  test("a key that loses the right to write stores nothing more, and one that changes otherwise does", async () => {
    const { id, by } = await newKey();
    const patch = (rights: string[]) => () =>
      store.send("PATCH", `/v1/keys/${id}`, { grants: [{ rights, albums: { names: ["a"] } }] }, boss);
    expect((await uploadAround(contentPath("kept"), by, patch(["write"]))).status).toBe(201);
    expect((await codeOf(uploadAround(contentPath("lost"), by, patch(["read"]))))[0]).toBe(403);
    expect(await isThere("lost")).toBe(false);
  });

  test("a share that is revoked adds nothing more, nor does a ticket whose maker is", async () => {
    const { id, by } = await newKey();
    const shared = await store.send("POST", "/v1/albums/a/shares", { rights: ["read", "write"] }, boss);
    const share = await jsonOf<{ id: string; secret: string }>(shared);
    const end = () => store.fetch(`/v1/albums/a/shares/${share.id}`, { method: "DELETE", headers: boss });
    const guest = { Authorization: `Bearer ${share.secret}` };
    expect(await codeOf(uploadAround(contentPath("guest"), guest, end))).toEqual([401, "unauthorized"]);
    const { url } = await jsonOf<{ url: string }>(
      await store.send("POST", "/v1/albums/a/tickets", { name: "ticketed" }, by),
    );
    const revoke = () => store.fetch(`/v1/keys/${id}`, { method: "DELETE", headers: boss });
    expect(await codeOf(uploadAround(url, {}, revoke))).toEqual([404, "ticket_not_found"]);
    expect([await isThere("guest"), await isThere("ticketed")]).toEqual([false, false]);
  });

  test("a key that is revoked while its batch waits for others changes nothing", async () => {
    const { id, by } = await newKey();
    const batch = (headers: Record<string, string>, album: string, count: number) =>
      store.send(
        "POST",
        "/v1/batches",
        { operations: Array.from({ length: count }, () => ({ type: "putAlbum", album })) },
        headers,
      );
    const others = Array.from({ length: 8 }, (_, index) => batch(boss, `busy-${index}`, 1000));
    await Bun.sleep(20);
    const late = batch(by, "a", 1);
    await Bun.sleep(20);
    const revoked = await store.fetch(`/v1/keys/${id}`, { method: "DELETE", headers: boss });
    expect(revoked.status).toBe(204);
    expect(await codeOf(late)).toEqual([401, "unauthorized"]);
    expect((await Promise.all(others)).map(({ status }) => status)).toEqual(others.map(() => 200));
  });

  test("credentials may expire", async () => {
    const expiresAt = Date.now() + 3_600_000;
    const wish = { name: "brief", grants: GRANTS, expiresAt: new Date(expiresAt).toISOString() };
    const { secret } = await jsonOf<{ secret: string }>(await store.send("POST", "/v1/keys", wish, boss));
    const headers = { Authorization: `Bearer ${secret}` };
    const expire = async () => {
      now = expiresAt;
      // Another change, by which the store looks again.
      await newKey();
    };
    expect((await uploadAround(contentPath("slow"), headers, expire)).status).toBe(201);
  });
});
