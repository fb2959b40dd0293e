import { afterAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createApp } from "../../../src/app.ts";
import { parseApiKeys } from "../../../src/config/keys.ts";
import { parseConfig } from "../../../src/config.ts";
import type { CloudEvent } from "../../../src/domain/event.ts";
import { jsonOf } from "../harness.ts";
import { formOf, newPng } from "../image-fixtures.ts";
import { testKeys } from "../test-keys.ts";
import { API_KEYS, bearer, clock, type NewTicket, refused, startTicketStore } from "./ticket-store.ts";

const { store, send, read, newAlbum, newTicket, upload, uploadForm, imagesIn } = await startTicketStore();
afterAll(() => store[Symbol.asyncDispose]());
async function openApp() {
  const folder = await mkdtemp(join(tmpdir(), "image-store-tickets-"));
  const names = { DATA: folder, PORT: "0", MIN_FREE: "0", LOG_LEVEL: "silent", DESCRIBE: "false", API_KEYS };
  const env = Object.fromEntries(Object.entries(names).map(([name, value]) => [`IMAGE_STORE_${name}`, value]));
  const config = parseConfig({ env, readFile: () => "" });
  const app = await createApp(config);
  await app.fetch(request("PUT", "/v1/albums/a", bearer("boss")));
  return {
    fetch: app.fetch,
    replaceKeys: (keys: string) => app.replaceKeys({ ...config, apiKeys: parseApiKeys(keys) }),
    async [Symbol.asyncDispose]() {
      await app[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}

const request = (method: string, path: string, headers: Record<string, string>) =>
  new Request(`http://localhost${path}`, {
    method,
    headers: {
      Host: "localhost",
      ...(path.startsWith("/v1/uploads") ? {} : { "Content-Type": "application/json" }),
      ...headers,
    },
    body: path.startsWith("/v1/uploads") ? newPng() : "{}",
  });
/** Of a key that may make tickets for the album. */
const grant = (album: string) => [{ rights: ["read", "write", "share"], albums: { names: [album.split("/").at(-1)] } }];

describe("the maker of a ticket", () => {
  interface Key {
    readonly id: string;
    readonly secret: string;
  }
  const newKey = async (body: object) => jsonOf<Key>(await send("POST", "/v1/keys", { name: "maker", ...body }));
  const ticketBy = async ({ secret }: Key, album: string) => {
    const headers = { Authorization: `Bearer ${secret}` };
    return jsonOf<NewTicket>(await store.send("POST", `${album}/tickets`, {}, headers));
  };
  const forgotten = [404, "ticket_not_found"];

  test("gives nothing any more when its key is revoked, has expired or lost a right on the album", async () => {
    const album = await newAlbum();
    const revoked = await newKey({ grants: grant(album) });
    const [kept, other] = [await ticketBy(revoked, album), await ticketBy(revoked, album)];
    expect(kept.createdBy).toEqual({ kind: "key", id: revoked.id, name: "maker" });
    expect((await upload(kept.url, newPng())).status).toBe(201);
    await store.fetch(`/v1/keys/${revoked.id}`, { method: "DELETE", headers: bearer("boss") });
    for (const { url } of [kept, other]) expect(await refused(await upload(url, newPng()))).toEqual(forgotten);

    const narrowed = await newKey({ grants: grant(album) });
    const { url } = await ticketBy(narrowed, album);
    const narrow = async (rights: readonly string[]) => {
      const grants = [{ ...grant(album)[0], rights }];
      expect((await send("PATCH", `/v1/keys/${narrowed.id}`, { grants })).status).toBe(200);
    };
    for (const rights of [
      ["read", "write"],
      ["read", "share"],
    ]) {
      await narrow(rights);
      expect(await refused(await upload(url, newPng()))).toEqual(forgotten);
    }
    await narrow(["write", "share"]);
    const name = album.slice("/v1/albums/".length);
    await send("PATCH", album, { name: `${name}-out-of-reach` });
    expect(await refused(await upload(url, newPng()))).toEqual(forgotten);
    await send("PATCH", `${album}-out-of-reach`, { name });

    const expiring = await newKey({ grants: grant(album), expiresAt: new Date(clock.now + 3_000_000).toISOString() });
    const late = await ticketBy(expiring, album);
    clock.now += 3_000_001;
    expect(await refused(await upload(late.url, newPng()))).toEqual(forgotten);
    clock.now -= 3_000_001;
    expect((await upload(url, newPng())).status).toBe(201);
    expect(await imagesIn(album)).toHaveLength(2);
  });

  test("gives nothing any more when its key is taken out of the configuration", async () => {
    await using app = await openApp();
    const { url } = await jsonOf<NewTicket>(await app.fetch(request("POST", "/v1/albums/a/tickets", bearer("boss"))));
    await app.replaceKeys(testKeys({ writer: "read+write" }).API_KEYS);
    expect((await app.fetch(request("PUT", url, {}))).status).toBe(404);
    await app.replaceKeys(API_KEYS);
    expect((await app.fetch(request("PUT", url, {}))).status).toBe(201);
  });

  test("pays for the uploads with the quota of its key, also where others make room", async () => {
    const album = await newAlbum();
    const key = await newKey({ grants: grant(album) });
    const quota = `/v1/quotas/keys/${key.id}`;
    expect((await send("PUT", quota, { maxImages: 1 })).status).toBe(200);
    const [one, two] = [await ticketBy(key, album), await ticketBy(key, album)];
    const png = newPng(5000);
    expect((await upload(`${one.url}?name=one`, png)).status).toBe(201);
    expect(await refused(await upload(two.url, newPng()))).toEqual([507, "quota_exceeded"]);
    expect(await refused(await uploadForm(two.url, formOf({ two: newPng() })))).toEqual([507, "quota_exceeded"]);
    // What is stored already needs no room.
    expect((await upload(`${one.url}?name=one`, png)).status).toBe(200);
    expect(await jsonOf<object>(await read(quota))).toMatchObject({ used: { images: 1, bytes: png.length } });
    await store.fetch(`${album}/images/one`, { method: "DELETE", headers: bearer("boss") });
    expect((await upload(two.url, newPng())).status).toBe(201);
  });

  test("is in the audit trail, for administrators only", async () => {
    const album = await newAlbum();
    const { id: albumId } = await jsonOf<{ id: string }>(await read(album));
    const ticket = await newTicket(album);
    await store.fetch(`${album}/tickets/${ticket.id}`, { method: "DELETE", headers: bearer("boss") });
    const { items } = await jsonOf<{ items: CloudEvent[] }>(await read(`/v1/events?limit=1000&albumId=${albumId}`));
    const { url: _, ...record } = ticket;
    const actor = { kind: "key", id: "boss", name: "boss" };
    expect(items.filter(({ type }) => type.includes("ticket"))).toMatchObject(
      ["created", "revoked"].map((what) => ({
        type: `imagestore.ticket.${what}`,
        subject: `albums/${albumId}/tickets/${ticket.id}`,
        data: { ...record, actor },
      })),
    );
    const seen = await (await store.fetch("/v1/events?limit=1000", { headers: bearer("follower") })).text();
    expect(seen).toContain(albumId);
    expect(seen).not.toContain("imagestore.ticket");
  });
});
