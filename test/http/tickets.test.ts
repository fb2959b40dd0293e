import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { createApp } from "../../src/app.ts";
import { parseApiKeys } from "../../src/config/keys.ts";
import { parseConfig } from "../../src/config.ts";
import type { CloudEvent } from "../../src/domain/event.ts";
import type { Image } from "../../src/domain/image.ts";
import type { Ticket, UploadedImage } from "../../src/domain/ticket.ts";
import { makeSecret } from "../../src/operations/secrets.ts";
import { until } from "../waiting.ts";
import { jsonOf, sendRaw, startStore, type TestStore } from "./harness.ts";
import { codeOf, formOf, GIF, newPng, sha256, storedBlobs } from "./image-fixtures.ts";
import { testKeys } from "./test-keys.ts";

type NewTicket = Ticket & { readonly url: string };

const { API_KEYS, bearer } = testKeys({
  boss: "read+write+delete+transform+share+events+admin",
  writer: "read+write",
  sharer: "read+share",
  follower: "read+events",
});
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

const ORIGIN = { Origin: "https://a-site.example" };
const clock = { now: Date.now(), asked: 0 };

let store: TestStore;
let made = 0;
beforeAll(async () => {
  store = await startStore(
    { API_KEYS, SMALL_IMAGE: "0" },
    {
      now: () => {
        clock.asked++;
        return clock.now;
      },
    },
  );
});
afterAll(() => store[Symbol.asyncDispose]());

const send = (method: string, path: string, body: unknown = {}, name: "boss" | "writer" | "sharer" = "boss") =>
  store.send(method, path, body, bearer(name));
const read = (path: string) => store.fetch(path, { headers: bearer("boss") });

async function newAlbum(): Promise<string> {
  const path = `/v1/albums/tickets-${++made}`;
  expect((await send("PUT", path)).status).toBe(201);
  return path;
}

async function newTicket(album: string, wish: object = {}): Promise<NewTicket> {
  const response = await send("POST", `${album}/tickets`, wish);
  expect(response.status).toBe(201);
  expect(response.headers.get("cache-control")).toBe("no-store");
  return jsonOf<NewTicket>(response);
}

/** As a page of another origin does it, without a key. */
async function upload(
  url: string,
  body: RequestInit["body"],
  {
    method = "PUT",
    headers = {},
  }: { readonly method?: string; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<Response> {
  const response = await store.fetch(url, { method, body, headers: { ...ORIGIN, ...headers } });
  expect(response.headers.get("access-control-allow-origin")).toBe("*");
  return response;
}
const uploadForm = (url: string, form: FormData) => upload(url, form, { method: "POST" });

const refused = async (response: Response) => [response.status, await codeOf(response)];
const imagesIn = async (album: string) => (await jsonOf<{ items: Image[] }>(await read(`${album}/images`))).items;
const ticketsOf = async (album: string) => (await jsonOf<{ items: Ticket[] }>(await read(`${album}/tickets`))).items;

async function eventsOf(album: string): Promise<readonly CloudEvent[]> {
  const { id } = await jsonOf<{ id: string }>(await read(album));
  const { items } = await jsonOf<{ items: CloudEvent[] }>(await read(`/v1/events?limit=1000&albumId=${id}`));
  return items.filter(({ type }) => type.startsWith("imagestore.image."));
}

describe("an upload ticket", () => {
  test("stores one image from a page of any origin, which learns what it sent and no more", async () => {
    const album = await newAlbum();
    const fields = {
      title: "An avatar",
      tags: ["avatar"],
      metadata: { user: "user-42" },
      focalPoint: { x: 0.5, y: 0.25 },
    };
    const ticket = await newTicket(album, { name: "me.png", maxBytes: 100_000, contentTypes: ["image/png"], fields });
    expect(ticket).toMatchObject({ files: 1, filesLeft: 1, createdBy: { kind: "key", id: "boss" } });
    expect(ticket.url).toStartWith(`/v1/uploads/imgtk_${ticket.id}_`);
    const png = newPng(5000);
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const response = await upload(ticket.url, png, { headers: { traceparent, "Content-Type": "image/png" } });
    expect(response.status).toBe(201);
    const text = await response.text();
    expect(JSON.parse(text)).toMatchObject({ name: "me.png", size: png.length, sha256: sha256(png), width: 4 });
    for (const hidden of ["An avatar", "user-42", album.split("/").at(-1) as string, ticket.url])
      expect(text).not.toContain(hidden);

    const [image, ...others] = await imagesIn(album);
    expect(others).toEqual([]);
    expect(image).toMatchObject({ name: "me.png", description: null, ...fields });
    const [event, ...more] = await eventsOf(album);
    expect(more).toEqual([]);
    expect(event).toMatchObject({
      traceparent,
      data: { name: "me.png", actor: { kind: "ticket", id: ticket.id, name: null } },
    });
    expect(JSON.stringify(event)).not.toContain(ticket.url.split("/").at(-1) as string);
    expect(await ticketsOf(album)).toMatchObject([{ id: ticket.id, filesLeft: 0 }]);
  });

  test("stores the file of a form under its own name, and ignores the text of the form", async () => {
    const album = await newAlbum();
    const { url } = await newTicket(album, { name: "me.png", fields: { tags: ["theirs"] } });
    const form = formOf({ "some/../IMG 1.png": newPng() });
    form.append("title", "mine");
    form.append("tags", "mine");
    form.append("name", "mine.png");
    form.append("csrf", "x");
    expect((await uploadForm(url, form)).status).toBe(201);
    expect(await imagesIn(album)).toMatchObject([{ name: "me.png", title: null, tags: ["theirs"] }]);
  });

  test("without a name lets the uploader name the images, or names bytes by its id", async () => {
    const album = await newAlbum();
    const byId = await newTicket(album);
    const png = newPng();
    expect(await jsonOf<UploadedImage>(await upload(byId.url, png))).toMatchObject({ name: `${byId.id}.png` });
    const byQuery = await newTicket(album);
    expect((await upload(`${byQuery.url}?name=lake.png`, newPng())).status).toBe(201);
    const byForm = await newTicket(album, { files: 2 });
    const form = formOf({ "one.png": newPng(), "two.png": newPng() });
    expect((await jsonOf<{ items: UploadedImage[] }>(await uploadForm(byForm.url, form))).items).toMatchObject([
      { name: "one.png" },
      { name: "two.png" },
    ]);
    const many = await newTicket(album, { files: 3 });
    for (const bytes of [png, GIF, newPng()]) expect((await upload(many.url, bytes)).status).toBe(201);
    const names = (await imagesIn(album)).map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining([`${byId.id}.png`, "lake.png", "one.png", "two.png"]));
    expect(names.filter((name) => name.startsWith(many.id))).toHaveLength(3);
    expect(names).toContain(`${many.id}-${sha256(GIF).slice(0, 16)}.gif`);
  });

  test("is used up by its last file", async () => {
    const album = await newAlbum();
    const { url } = await newTicket(album, { files: 2 });
    expect((await upload(`${url}?name=a`, newPng())).status).toBe(201);
    expect(await refused(await uploadForm(url, formOf({ b: newPng(), c: newPng() })))).toEqual([413, "too_large"]);
    expect((await upload(`${url}?name=d`, newPng())).status).toBe(201);
    expect(await refused(await upload(`${url}?name=e`, newPng(100)))).toEqual([410, "ticket_used"]);
    expect(await refused(await uploadForm(url, formOf({ f: newPng(900) })))).toEqual([410, "ticket_used"]);
    expect((await imagesIn(album)).map(({ name }) => name)).toEqual(["a", "d"]);
  });

  test.each([
    ["with a name", { name: "me" }, ""],
    ["without one", {}, ""],
    ["for several files", { files: 3 }, ""],
    ["whose uploader names the image", { files: 2 }, "?name=mine"],
  ])(
    "%s answers the same bytes again with the same image, since the response may have been lost",
    async (_, wish, query) => {
      const album = await newAlbum();
      const { url, id } = await newTicket(album, wish);
      const png = newPng(3000);
      const first = await upload(url + query, png);
      expect(first.status).toBe(201);
      const image = await jsonOf<UploadedImage>(first);
      for (let time = 0; time < 2; time++) {
        const again = await upload(url + query, png);
        expect([again.status, again.headers.get("idempotent-replayed")]).toEqual([200, "true"]);
        expect(await jsonOf<UploadedImage>(again)).toEqual(image);
      }
      expect(await imagesIn(album)).toHaveLength(1);
      expect(await eventsOf(album)).toHaveLength(1);
      expect((await ticketsOf(album)).map(({ files, filesLeft }) => files - filesLeft)).toEqual([1]);
      const kept = (await storedBlobs(store)).filter((key) => key.startsWith(image.sha256));
      expect([id, kept.length]).toEqual([id, 1]);
    },
  );

  test("answers a repeated form with the same images again", async () => {
    const album = await newAlbum();
    const { url } = await newTicket(album, { files: 2 });
    const files = { "one.png": newPng(100), "two.png": newPng(200) };
    const first = await jsonOf<unknown>(await uploadForm(url, formOf(files)));
    const again = await uploadForm(url, formOf(files));
    expect([again.status, await again.json()]).toEqual([200, first as never]);
    expect(await imagesIn(album)).toHaveLength(2);
  });

  test("is as it was after an upload that failed", async () => {
    const album = await newAlbum();
    const { url } = await newTicket(album, { name: "me", maxBytes: 2000, contentTypes: ["image/png"] });
    const before = await storedBlobs(store);
    for (const [body, type, code] of [
      ["no image", "", [415, "unsupported_image"]],
      [GIF, "", [415, "unsupported_image"]],
      [newPng(), "image/webp", [415, "unsupported_image"]],
      [newPng(), "text/html", [415, "unsupported_media_type"]],
      [newPng().subarray(0, 40), "", [422, "invalid_image"]],
      [newPng(3000), "", [413, "too_large"]],
      [new Blob([newPng(3000)]).stream(), "", [413, "too_large"]],
      ["", "", [400, "empty_body"]],
    ] as const) {
      const headers = { "Content-Type": type || "application/octet-stream" };
      expect([type, ...(await refused(await upload(url, body, { headers })))]).toEqual([type, ...code]);
    }
    expect(await refused(await uploadForm(url, formOf({ x: newPng(3000) })))).toEqual([413, "too_large"]);
    expect(await refused(await uploadForm(url, formOf({ x: GIF })))).toEqual([415, "unsupported_image"]);
    expect(await refused(await uploadForm(url, formOf({ x: newPng(), y: newPng() })))).toEqual([413, "too_large"]);
    expect(await refused(await upload(url, newPng(), { method: "POST" }))).toEqual([415, "unsupported_media_type"]);
    expect(await storedBlobs(store)).toEqual(before);
    expect(await ticketsOf(album)).toMatchObject([{ filesLeft: 1 }]);
    expect((await upload(url, newPng())).status).toBe(201);
  });

  test("only creates: a name that is taken is 409, and the ticket remains", async () => {
    const album = await newAlbum();
    const { url } = await newTicket(album, { name: "taken" });
    const bytes = newPng();
    await store.fetch(`${album}/images/taken/content`, { method: "PUT", body: bytes, headers: bearer("boss") });
    expect(await refused(await upload(url, newPng()))).toEqual([409, "image_exists"]);
    expect(await refused(await upload(url, bytes))).toEqual([409, "image_exists"]);
    const free = await newTicket(album);
    expect(await refused(await uploadForm(free.url, formOf({ taken: newPng() })))).toEqual([409, "image_exists"]);
    expect(await imagesIn(album)).toMatchObject([{ sha256: sha256(bytes) }]);
    await store.fetch(`${album}/images/taken`, { method: "DELETE", headers: bearer("boss") });
    expect((await upload(url, bytes)).status).toBe(201);
  });

  test("is refused after its expiry, but an upload that began before it may end later", async () => {
    const album = await newAlbum();
    const { url, expiresAt } = await newTicket(album, { expiresIn: 60, files: 2 });
    const before = clock.now;
    try {
      const png = newPng(300_000);
      const asked = clock.asked;
      let sent = 0;
      const body = new ReadableStream<Uint8Array>({
        async pull(controller) {
          if (sent > 0) await until(() => clock.asked > asked);
          if (sent > 0) clock.now = Date.parse(expiresAt) + 1;
          controller.enqueue(png.subarray(sent, sent + 100_000));
          sent += 100_000;
          if (sent >= png.length) controller.close();
        },
      });
      expect((await upload(url, body)).status).toBe(201);
      expect(clock.now).toBeGreaterThan(Date.parse(expiresAt));
      expect(await refused(await upload(url, newPng()))).toEqual([410, "ticket_expired"]);
      expect(await refused(await upload(url, png))).toEqual([410, "ticket_expired"]);
      clock.now = Date.parse(expiresAt) - 1;
      expect((await upload(url, newPng())).status).toBe(201);
    } finally {
      clock.now = before;
    }
  });

  test("that never was, was revoked, has another secret or another album looks the same", async () => {
    const album = await newAlbum();
    const revoked = await newTicket(album);
    const path = `${album}/tickets/${revoked.id}`;
    expect((await store.fetch(path, { method: "DELETE", headers: bearer("boss") })).status).toBe(204);
    expect(await refused(await store.fetch(path, { method: "DELETE", headers: bearer("boss") }))).toEqual([
      404,
      "ticket_not_found",
    ]);
    const good = await newTicket(album);
    const other = makeSecret("ticket").text;
    const orphan = await newTicket(await newAlbum());
    await store.fetch(`/v1/albums/tickets-${made}?recursive=true`, { method: "DELETE", headers: bearer("boss") });
    const secrets = [
      revoked.url,
      orphan.url,
      `/v1/uploads/${other}`,
      `/v1/uploads/${other.replace(/_\w{16}_/, `_${good.id}_`)}`,
      `/v1/uploads/${makeSecret("key").text}`,
      good.url.slice(0, -1),
      `${good.url}0`,
      good.url.replace("imgtk_", "img%74k_"),
      good.url.toLowerCase(),
      "/v1/uploads/x",
    ];
    const answers = await Promise.all(
      secrets.map(async (url) => {
        const response = await upload(url, newPng(), { headers: { "X-Request-Id": "same" } });
        const headers = [...response.headers].filter(([name]) => name !== "date");
        return { status: response.status, headers, body: await response.text() };
      }),
    );
    expect(answers[0]?.body).toContain('"code":"ticket_not_found"');
    for (const answer of answers) expect(answer).toEqual(answers[0] as never);
    expect((await upload(good.url, newPng())).status).toBe(201);
  });

  test("alone says who uploads, whatever key comes with it", async () => {
    const album = await newAlbum();
    for (const headers of [bearer("boss"), bearer("sharer"), { Authorization: "Bearer wrong" }]) {
      const ticket = await newTicket(album);
      expect((await upload(ticket.url, newPng(), { headers })).status).toBe(201);
      expect((await eventsOf(album)).at(-1)).toMatchObject({ data: { actor: { kind: "ticket", id: ticket.id } } });
    }
  });

  test("lets its holder do nothing else", async () => {
    const album = await newAlbum();
    const { url } = await newTicket(album);
    const secret = url.split("/").at(-1) as string;
    for (const method of ["GET", "HEAD", "DELETE", "PATCH"]) {
      const response = await upload(url, undefined, { method });
      expect([method, response.status, response.headers.get("allow")]).toEqual([method, 405, "OPTIONS, POST, PUT"]);
    }
    const headers = { Authorization: `Bearer ${secret}` };
    expect((await store.fetch(`${album}/images?name=x`, { method: "POST", body: newPng(), headers })).status).toBe(401);
    expect((await store.fetch(`${album}?key=${secret}`)).status).toBe(400);
    for (const [query, code] of [
      ["?name=other", "invalid_request"],
      ["?album=other", "unknown_parameter"],
    ]) {
      const named = await newTicket(album, { name: "mine" });
      expect(await codeOf(await upload(named.url + query, newPng()))).toBe(code as string);
    }
  });

  test("is for the album by its id: a new name does not end it, and a new album of the name does not get its image", async () => {
    const album = await newAlbum();
    const { url } = await newTicket(album, { name: "me" });
    expect((await send("PATCH", album, { name: `moved-${made}` })).status).toBe(200);
    expect((await send("PUT", album)).status).toBe(201);
    expect((await upload(url, newPng())).status).toBe(201);
    expect(await imagesIn(album)).toEqual([]);
    expect(await imagesIn(`/v1/albums/moved-${made}`)).toHaveLength(1);
  });

  test("gives one image and one event to many uploads at once, whatever their bytes are", async () => {
    const album = await newAlbum();
    for (const name of ["me", undefined]) {
      const { url } = await newTicket(album, { ...(name && { name }) });
      const same = newPng();
      const statuses = await Promise.all(
        Array.from({ length: 40 }, async (_, index) => (await upload(url, index % 2 === 0 ? same : newPng())).status),
      );
      expect(statuses.filter((status) => status === 201)).toHaveLength(1);
      expect(statuses.filter((status) => ![200, 201, 409, 410].includes(status))).toEqual([]);
    }
    expect(await imagesIn(album)).toHaveLength(2);
    expect(await eventsOf(album)).toHaveLength(2);
  });
});

test("the secret of a ticket is in no log line, metric, event or error", async () => {
  const lines: string[] = [];
  const logger = pino({ level: "trace" }, { write: (line: string) => void lines.push(line) });
  await using logged = await startStore({ API_KEYS }, { logger });
  const sent = await logged.send("PUT", "/v1/albums/a", {}, bearer("boss"));
  expect(sent.status).toBe(201);
  const response = await logged.send("POST", "/v1/albums/a/tickets", {}, bearer("boss"));
  const { id, url } = await jsonOf<NewTicket>(response);
  const secret = url.slice(url.lastIndexOf("_") + 1);
  const texts: string[] = [];
  for (const [method, target] of [
    ["PUT", url],
    ["PUT", url],
    ["GET", url],
    ["PUT", `${url}/x`],
    ["PUT", `${url}?x=1`],
    ["PUT", url.replaceAll("/", "%2F")],
    ["PUT", `/v1/albums/${url.split("/").at(-1)}`],
    ["DELETE", `/v1/albums/a/tickets/${url.split("/").at(-1)}`],
  ] as const) {
    const init = { method, ...(method === "PUT" && { body: newPng() }), headers: bearer("boss") };
    const answer = await logged.fetch(target.startsWith("/") ? target : `/${target}`, init);
    texts.push(await answer.text(), JSON.stringify([...answer.headers]));
  }
  for (const path of ["/metrics", "/v1/events", "/v1/albums/a/tickets"])
    texts.push(await (await logged.fetch(path, { headers: bearer("boss") })).text());
  expect(lines.join("\n")).toContain('"operation":"uploadWithTicket"');
  expect(texts.join("\n")).toContain(id);
  for (const text of [...lines, ...texts]) expect(text).not.toContain(secret);
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
    await send("PATCH", album, { name: `out-of-reach-${made}` });
    expect(await refused(await upload(url, newPng()))).toEqual(forgotten);
    await send("PATCH", `/v1/albums/out-of-reach-${made}`, { name: `tickets-${made}` });

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

describe("making tickets", () => {
  test("needs both rights on the album, and an album", async () => {
    const album = await newAlbum();
    for (const [key, missing] of [
      ["writer", "share"],
      ["sharer", "write"],
    ] as const) {
      const response = await send("POST", `${album}/tickets`, {}, key);
      expect([response.status, await response.json()]).toMatchObject([403, { code: "forbidden", missing: [missing] }]);
    }
    expect((await store.send("POST", `${album}/tickets`, {})).status).toBe(401);
    expect(await refused(await send("POST", "/v1/albums/none/tickets"))).toEqual([404, "album_not_found"]);
    expect((await store.fetch(`${album}/tickets`, { headers: bearer("writer") })).status).toBe(403);
  });

  test.each([
    [{ expiresIn: 59 }, "/expiresIn"],
    [{ expiresIn: 86_401 }, "/expiresIn"],
    [{ files: 0 }, "/files"],
    [{ files: 101 }, "/files"],
    [{ files: 2, name: "a" }, "/files"],
    [{ maxBytes: 0 }, "/maxBytes"],
    [{ contentTypes: [] }, "/contentTypes"],
    [{ contentTypes: ["text/html"] }, "/contentTypes/0"],
    [{ contentTypes: ["image/png", "image/png"] }, "/contentTypes"],
    [{ fields: { name: "x" } }, "/fields/name"],
    [{ fields: { title: 1 } }, "/fields/title"],
    [
      { fields: { metadata: Object.fromEntries(Array.from({ length: 60 }, (_, index) => [index, "x".repeat(200)])) } },
      "/fields/metadata",
    ],
    [{ id: "x" }, "/id"],
  ] as const)("refuses %j", async (wish, pointer) => {
    const response = await send("POST", `${await newAlbum()}/tickets`, wish);
    const body = await jsonOf<{ errors: { pointer: string }[] }>(response);
    expect([response.status, body.errors[0]?.pointer]).toEqual([400, pointer]);
  });

  test("puts them in a listing, in pages, in their order and without secrets", async () => {
    const album = await newAlbum();
    const ids: string[] = [];
    for (let count = 0; count < 5; count++) ids.push((await newTicket(album)).id);
    await newTicket(await newAlbum());
    const listed: string[] = [];
    for (let path: string | undefined = `${album}/tickets?pageSize=2`; path !== undefined; ) {
      const response: Response = await read(path);
      const text = await response.text();
      expect(text).not.toContain("imgtk_");
      expect(text).not.toContain("sha256");
      const page = JSON.parse(text) as { items: Ticket[]; nextPageToken?: string };
      listed.push(...page.items.map(({ id }) => id));
      path = page.nextPageToken && `${album}/tickets?pageSize=2&pageToken=${page.nextPageToken}`;
    }
    expect(listed.toSorted()).toEqual(ids.toSorted());
  });

  test("gives an absolute URL if the store has one, and no origin check without keys", async () => {
    await using open = await startStore({ PUBLIC_URL: "https://images.example" });
    await open.send("PUT", "/v1/albums/a", {});
    const { url, createdBy } = await jsonOf<NewTicket>(await open.send("POST", "/v1/albums/a/tickets", {}));
    expect(createdBy.kind).toBe("local");
    expect(url).toStartWith("https://images.example/v1/uploads/imgtk_");
    const path = new URL(url).pathname;
    const headers = { ...ORIGIN, "Sec-Fetch-Site": "cross-site" };
    expect((await open.fetch(path, { method: "PUT", body: newPng(), headers })).status).toBe(201);
    expect((await open.send("POST", "/v1/albums/a/tickets", {}, ORIGIN)).status).toBe(403);
  });
});

const head = (url: string, ...headers: string[]) =>
  [`PUT ${url} HTTP/1.1`, "Host: localhost", "Expect: 100-continue", ...headers, "", ""].join("\r\n");

describe("before the body", () => {
  test("a ticket that is unknown, used or expired, a type and a length are refused before the body is sent", async () => {
    const album = await newAlbum();
    const used = await newTicket(album);
    await upload(used.url, newPng());
    const limited = await newTicket(album, { maxBytes: 1000, contentTypes: ["image/png"] });
    for (const [url, length, type, code] of [
      [`/v1/uploads/${makeSecret("ticket").text}`, 500, "image/png", "ticket_not_found"],
      [used.url, 500, "image/png", "ticket_used"],
      [limited.url, 1001, "image/png", "too_large"],
      [limited.url, 500, "image/webp", "unsupported_image"],
    ] as const) {
      const { text } = await sendRaw(store.port, head(url, `Content-Length: ${length}`, `Content-Type: ${type}`));
      // The first line is the runtime's own.
      expect(text.replace(/^HTTP\/1.1 100[^]*?\r\n\r\n/, "")).toMatch(/^HTTP\/1.1 4/);
      expect(text).toContain(`"code":"${code}"`);
      expect(text.toLowerCase()).toContain("access-control-allow-origin: *");
    }
  });

  test("a preflight of any origin is allowed, for every path of a ticket", async () => {
    for (const path of [(await newTicket(await newAlbum())).url, "/v1/uploads/x", "/v1/uploads/x/y"]) {
      const response = await store.fetch(path, {
        method: "OPTIONS",
        headers: {
          ...ORIGIN,
          "Access-Control-Request-Method": "PUT",
          "Access-Control-Request-Headers": "content-type",
        },
      });
      const { headers } = response;
      expect(response.status).toBe(204);
      expect(headers.get("access-control-allow-origin")).toBe("*");
      expect(headers.get("access-control-allow-methods")).toContain("PUT");
      expect(headers.get("access-control-allow-headers")).toContain("Content-Type");
      expect(headers.has("access-control-allow-credentials")).toBeFalse();
    }
    const elsewhere = await store.fetch("/v1/albums", { method: "OPTIONS", headers: ORIGIN });
    expect(elsewhere.headers.has("access-control-allow-origin")).toBeFalse();
  });
});
