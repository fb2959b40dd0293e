import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import pino from "pino";
import type { GrantRecord } from "../../src/domain/grant.ts";
import type { ListedKey } from "../../src/operations/keys.ts";
import { makeSecret } from "../../src/operations/secrets.ts";
import { openStream } from "./event-stream.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";

type CreatedKey = ListedKey & { readonly secret: string };
interface KeyPage {
  readonly items: readonly ListedKey[];
  readonly nextPageToken?: string;
  readonly watermark: string;
}
interface Problem {
  readonly code: string;
  readonly detail: string;
  readonly missing?: readonly string[];
  readonly errors?: readonly { readonly pointer?: string }[];
}

const ALL = "read+write+delete+transform+share+events+admin";
const ROOT = "root".repeat(10);
const digest = (text: string) => createHash("sha256").update(text).digest("hex");
const bearer = (secret: string) => ({ Authorization: `Bearer ${secret}` });
const root = bearer(ROOT);
const API_KEYS = `root:${ALL}:${digest(ROOT)},metrics:admin:${digest("m")}`;
const everywhere = (...rights: readonly string[]) => [{ rights, albums: "*" }];

const createdBy = async (
  store: TestStore,
  body: object,
  headers: Record<string, string> = root,
): Promise<CreatedKey> => {
  const response = await store.send("POST", "/v1/keys", body, headers);
  expect(response.status).toBe(201);
  return jsonOf<CreatedKey>(response);
};
const codeOf = async (response: Response) => [response.status, (await jsonOf<Problem>(response)).code] as const;

/** Of a listing, with these headers as they are. */
const statusOf = async (store: TestStore, headers: readonly (readonly [string, string])[], query = "") => {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const { text } = await store.sendRaw(
    `GET /v1/albums${query} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${lines}\r\n`,
  );
  return Number(text.slice(9, 12));
};

describe("keys at run time", () => {
  let store: TestStore;
  beforeAll(async () => {
    store = await startStore({ API_KEYS });
  });
  afterAll(() => store[Symbol.asyncDispose]());

  const create = (body: object, headers?: Record<string, string>) => createdBy(store, body, headers);
  const list = async (query = "") => jsonOf<KeyPage>(await store.fetch(`/v1/keys${query}`, { headers: root }));

  test("POST answers the key with its secret, uncached, and no other answer has the secret", async () => {
    const response = await store.send("POST", "/v1/keys", { name: "web", grants: everywhere("read") }, root);
    expect([response.status, response.headers.get("cache-control")]).toEqual([201, "no-store"]);
    const key = await jsonOf<CreatedKey>(response);
    expect(key).toMatchObject({
      name: "web",
      grants: [{ rights: ["read"], albums: "*" }],
      revision: 1,
      createdBy: { kind: "key", id: "root", name: "root" },
      expiresAt: null,
      lastUsedAt: null,
      revokedAt: null,
      editable: true,
    });
    expect(key.secret).toMatch(new RegExp(`^imgst_${key.id}_`));
    expect(response.headers.get("location")).toBe(`/v1/keys/${key.id}`);
    const { secret, ...record } = key;
    const found = await store.fetch(`/v1/keys/${key.id}`, { headers: root });
    expect(await jsonOf<ListedKey>(found)).toEqual(record);
    expect(found.headers.get("etag")).toBe(response.headers.get("etag"));
    expect(JSON.stringify(await list())).not.toContain(secret.slice(-20));
  });

  test("a key does what its grants say on the albums that they name", async () => {
    for (const name of ["client-a", "client-b", "other"])
      expect((await store.send("POST", "/v1/albums", { name }, root)).status).toBe(201);
    const { secret } = await create({
      name: "client",
      grants: [{ rights: ["read"], albums: { names: ["client-*"] } }],
    });
    const seen = await jsonOf<{ items: { name: string }[] }>(
      await store.fetch("/v1/albums", { headers: bearer(secret) }),
    );
    expect(seen.items.map(({ name }) => name)).toEqual(["client-a", "client-b"]);
    expect((await store.fetch("/v1/albums/other", { headers: bearer(secret) })).status).toBe(404);
    const refused = await store.send("POST", "/v1/albums", { name: "client-c" }, bearer(secret));
    expect(await codeOf(refused)).toEqual([403, "forbidden"]);
    expect(await codeOf(await store.fetch("/v1/keys", { headers: bearer(secret) }))).toEqual([403, "forbidden"]);
  });

  test("PATCH changes name, grants and expiry at once, under If-Match, and makes no revision where nothing changes", async () => {
    const { id, secret } = await create({ name: "one", grants: everywhere("events") });
    const path = `/v1/keys/${id}`;
    const etag = (await store.fetch(path, { headers: root })).headers.get("etag") ?? "";
    const patched = await store.send(
      "PATCH",
      path,
      { name: "two", grants: everywhere("write") },
      { ...root, "If-Match": etag },
    );
    expect([patched.status, (await jsonOf<ListedKey>(patched)).revision]).toEqual([200, 2]);
    expect((await store.fetch("/v1/events", { headers: bearer(secret) })).status).toBe(403);
    const again = await store.send("PATCH", path, { name: "three" }, { ...root, "If-Match": etag });
    expect(await codeOf(again)).toEqual([412, "precondition_failed"]);
    const same = await store.send("PATCH", path, { name: "two" }, root);
    expect((await jsonOf<ListedKey>(same)).revision).toBe(2);
  });

  test("DELETE refuses the key from then on, keeps the record, and may be repeated", async () => {
    const { id, secret } = await create({ name: "leaked", grants: everywhere("read") });
    expect((await store.fetch("/v1/albums", { headers: bearer(secret) })).status).toBe(200);
    const revoke = () => store.fetch(`/v1/keys/${id}`, { method: "DELETE", headers: root });
    expect((await revoke()).status).toBe(204);
    const refused = await store.fetch("/v1/albums", { headers: bearer(secret) });
    expect(refused.headers.get("www-authenticate")).toContain('error="invalid_token"');
    expect(await codeOf(refused)).toEqual([401, "unauthorized"]);
    expect((await revoke()).status).toBe(204);
    expect((await list()).items.map((key) => key.id)).not.toContain(id);
    const revoked = (await list("?includeRevoked=true&pageSize=1000")).items.find((key) => key.id === id);
    expect(revoked?.revokedAt).toBeString();
    const patched = await store.send("PATCH", `/v1/keys/${id}`, { name: "back" }, root);
    expect(await codeOf(patched)).toEqual([409, "key_not_editable"]);
  });

  test("revoking a key keeps those that it made; with recursive=true it revokes them, and those that they made", async () => {
    const admin = { name: "admin", grants: everywhere("read", "admin") };
    const isLive = async (key: CreatedKey) =>
      (await store.fetch("/v1/albums", { headers: bearer(key.secret) })).status === 200;
    const first = await create(admin);
    const second = await create(admin, bearer(first.secret));
    const third = await create(admin, bearer(second.secret));
    expect(second.createdBy).toEqual({ kind: "key", id: first.id, name: "admin" });
    expect((await store.fetch(`/v1/keys/${second.id}`, { method: "DELETE", headers: root })).status).toBe(204);
    expect(await Promise.all([first, second, third].map(isLive))).toEqual([true, false, true]);
    const all = await store.fetch(`/v1/keys/${first.id}?recursive=true`, { method: "DELETE", headers: root });
    expect(all.status).toBe(204);
    expect(await Promise.all([first, second, third].map(isLive))).toEqual([false, false, false]);
  });

  test("revoking a leaked key with recursive=true ends its share links and tickets, and without it leaves the links", async () => {
    const path = "/v1/albums/leaked";
    expect((await store.fetch(path, { method: "PUT", headers: root })).status).toBe(201);
    const { id, secret } = await create({ name: "leaked", grants: everywhere("read", "write", "share") });
    const make = async (what: string) =>
      jsonOf<{ id: string; secret: string; url: string }>(
        await store.send("POST", `${path}/${what}`, {}, bearer(secret)),
      );
    const [share, ticket] = [await make("shares"), await make("tickets")];
    const statusOfShare = async () => (await store.fetch(path, { headers: bearer(share.secret) })).status;
    const revoke = (query: string) => store.fetch(`/v1/keys/${id}${query}`, { method: "DELETE", headers: root });
    expect((await revoke("")).status).toBe(204);
    expect(await statusOfShare()).toBe(200);
    expect((await revoke("?recursive=true")).status).toBe(204);
    expect(await statusOfShare()).toBe(401);
    const left = await store.fetch(`${path}/tickets`, { headers: root });
    expect((await jsonOf<{ items: readonly unknown[] }>(left)).items).toEqual([]);
    const query = "type=key.revoked,share.revoked,ticket.revoked&limit=1000";
    const events = await jsonOf<{ items: readonly { subject: string; data: { actor: object } }[] }>(
      await store.fetch(`/v1/events?${query}`, { headers: root }),
    );
    const actor = { kind: "key", id: "root", name: "root" };
    expect(
      events.items.slice(-3).map(({ subject, data }) => [subject.split("/").slice(-2).join("/"), data.actor]),
    ).toEqual([
      [`keys/${id}`, actor],
      [`shares/${share.id}`, actor],
      [`tickets/${ticket.id}`, actor],
    ]);
  });

  test("a page lists the keys of the configuration first, then the others, each once whatever the page size", async () => {
    const whole = (await list("?pageSize=1000")).items;
    expect(whole.slice(0, 2)).toMatchObject([
      { id: "metrics", editable: false, createdBy: null },
      { id: "root", editable: false, createdAt: null },
    ]);
    expect(whole.slice(2).every(({ editable }) => editable)).toBeTrue();
    for (const pageSize of [1, 2, 3]) {
      const found: string[] = [];
      for (let token: string | undefined = ""; token !== undefined; ) {
        const page: KeyPage = await list(`?pageSize=${pageSize}${token === "" ? "" : `&pageToken=${token}`}`);
        expect(page.items.length).toBeGreaterThan(0);
        found.push(...page.items.map(({ id }) => id));
        token = page.nextPageToken;
      }
      expect(found).toEqual(whole.map(({ id }) => id));
    }
  });

  test("a key of the configuration can be read, but not changed or revoked", async () => {
    const found = await store.fetch("/v1/keys/root", { headers: root });
    expect(await jsonOf<ListedKey>(found)).toMatchObject({ id: "root", name: "root", editable: false });
    const patched = await store.send("PATCH", "/v1/keys/root", { name: "other" }, root);
    expect(await codeOf(patched)).toEqual([409, "key_not_editable"]);
    const deleted = await store.fetch("/v1/keys/root", { method: "DELETE", headers: root });
    expect(await codeOf(deleted)).toEqual([409, "key_not_editable"]);
  });

  test("an unknown key is 404", async () => {
    for (const method of ["GET", "DELETE"])
      expect(await codeOf(await store.fetch("/v1/keys/0000000000000000", { method, headers: root }))).toEqual([
        404,
        "key_not_found",
      ]);
    const patched = await store.send("PATCH", "/v1/keys/0000000000000000", { name: "x" }, root);
    expect(await codeOf(patched)).toEqual([404, "key_not_found"]);
  });

  test("a caller cannot give what it lacks, by POST or PATCH, nor for longer than it has it", async () => {
    const lasts = new Date(Date.now() + 3_600_000).toISOString();
    const limited: readonly GrantRecord[] = [
      { rights: ["admin"], albums: "*" },
      { rights: ["read"], albums: { names: ["client-*"] } },
    ];
    const maker = await create({ name: "limited", grants: limited, expiresAt: lasts });
    const as = bearer(maker.secret);
    const refused = async (grants: unknown, expiresAt: string | null = lasts) => {
      const response = await store.send("POST", "/v1/keys", { name: "wider", grants, expiresAt }, as);
      const problem = await jsonOf<Problem>(response);
      return [response.status, problem.code, problem.missing];
    };
    expect(await refused(everywhere("write"))).toEqual([403, "forbidden", ["write"]]);
    expect(await refused(everywhere("read"))).toEqual([403, "forbidden", ["read"]]);
    expect(await refused([{ rights: ["read"], albums: { names: ["clien*"] } }])).toEqual([403, "forbidden", ["read"]]);
    const narrow = [{ rights: ["read"], albums: { names: ["client-a", "client-b*"] } }];
    expect(await refused(narrow, null)).toEqual([403, "forbidden", undefined]);
    const made = await create({ name: "narrow", grants: narrow, expiresAt: lasts }, as);

    const patch = (id: string, body: object) => store.send("PATCH", `/v1/keys/${id}`, body, as);
    expect(await codeOf(await patch(made.id, { grants: everywhere("read") }))).toEqual([403, "forbidden"]);
    expect(await codeOf(await patch(made.id, { expiresAt: null }))).toEqual([403, "forbidden"]);
    expect(await codeOf(await patch(maker.id, { grants: everywhere("write", "admin") }))).toEqual([403, "forbidden"]);
    expect(await codeOf(await patch(maker.id, { expiresAt: null }))).toEqual([403, "forbidden"]);
    const wide = await create({ name: "wide", grants: everywhere("read", "write"), expiresAt: lasts });
    expect(await codeOf(await patch(wide.id, { expiresAt: null }))).toEqual([403, "forbidden"]);
    expect((await patch(wide.id, { grants: everywhere("read") })).status).toBe(200);
  });

  test("a bad body is 400 with a pointer to what is wrong", async () => {
    const grants = everywhere("read");
    const bad: readonly (readonly [unknown, string])[] = [
      [{ grants }, "/name"],
      [{ name: "with space", grants }, "/name"],
      [{ name: "x" }, "/grants"],
      [{ name: "x", grants: [] }, "/grants"],
      [{ name: "x", grants: everywhere() }, "/grants/0/rights"],
      [{ name: "x", grants: everywhere("fly") }, "/grants/0/rights/0"],
      [{ name: "x", grants: [{ rights: ["read"], albums: {} }] }, "/grants/0"],
      [{ name: "x", grants: [{ rights: ["admin"], albums: { names: ["a"] } }] }, "/grants/0"],
      [{ name: "x", grants: [{ rights: ["read"], albums: { names: ["*"] } }] }, "/grants/0/albums"],
      [{ name: "x", grants: [{ rights: ["read"], albums: { names: ["a/b"] } }] }, "/grants/0/albums"],
      [{ name: "x", grants: Array.from({ length: 17 }, () => grants[0]) }, "/grants"],
      [{ name: "x", grants, expiresAt: "2020-01-01T00:00:00Z" }, "/expiresAt"],
      [{ name: "x", grants, expiresAt: "soon" }, "/expiresAt"],
      [{ name: "x", grants, quantity: 1 }, ""],
    ];
    for (const [body, pointer] of bad) {
      const response = await store.send("POST", "/v1/keys", body, root);
      const problem = await jsonOf<Problem>(response);
      expect({ body, status: response.status, pointer: problem.errors?.[0]?.pointer }).toEqual({
        body,
        status: 400,
        pointer: expect.stringContaining(pointer),
      });
    }
  });

  test("two Authorization headers, another scheme, and a cut secret are 401; a key in the query is an unknown parameter", async () => {
    const { secret } = await create({ name: "sent", grants: everywhere("read") });
    const one = ["Authorization", `Bearer ${secret}`] as const;
    expect(await statusOf(store, [one])).toBe(200);
    expect(await statusOf(store, [one, one])).toBe(401);
    expect(await statusOf(store, [["Authorization", `Basic ${secret}`]])).toBe(401);
    expect(await statusOf(store, [["Authorization", `Bearer ${secret.slice(0, -1)}`]])).toBe(401);
    expect(await statusOf(store, [["Authorization", `Bearer ${secret.slice(0, -1)}~`]])).toBe(401);
    expect(await statusOf(store, [], `?access_token=${secret}`)).toBe(400);
    expect(await statusOf(store, [], `?key=${secret}`)).toBe(400);
  });

  test("a stream and a long poll end when their key is revoked, and the poll says so", async () => {
    const { id, secret } = await create({ name: "follower", grants: everywhere("read", "events") });
    const stream = await openStream(`${store.url}/v1/events/stream?after=latest`, bearer(secret));
    expect(stream.response.status).toBe(200);
    await stream.nextBlock();
    const polled = store.fetch("/v1/events?after=latest&wait=30", { headers: bearer(secret) });
    await Bun.sleep(50);
    await store.fetch(`/v1/keys/${id}`, { method: "DELETE", headers: root });
    expect(await codeOf(await polled)).toEqual([401, "unauthorized"]);
    while ((await stream.nextBlock()) !== undefined);
  });

  test("a stream ends when its key's grants change, and goes on when its name does", async () => {
    const { id, secret } = await create({ name: "follower", grants: everywhere("read", "events") });
    const stream = await openStream(`${store.url}/v1/events/stream?after=latest&type=album.created`, bearer(secret));
    await stream.nextBlock();
    await store.send("PATCH", `/v1/keys/${id}`, { name: "renamed" }, root);
    await store.send("POST", "/v1/albums", { name: "seen" }, root);
    let seen = "";
    while (!seen.includes('"name":"seen"')) seen += (await stream.next())?.data ?? expect.unreachable("ended");
    await store.send("PATCH", `/v1/keys/${id}`, { grants: everywhere("events") }, root);
    while ((await stream.nextBlock()) !== undefined);
  });
});

describe("the first key of a store without keys", () => {
  test("closes it to clients without one at once, open streams too, and it stays closed when all are revoked", async () => {
    await using store = await startStore();
    const stream = await openStream(`${store.url}/v1/events/stream?after=latest`);
    expect(stream.response.status).toBe(200);
    await stream.nextBlock();
    const { id, secret, createdBy: maker } = await createdBy(store, { name: "admin", grants: everywhere("admin") }, {});
    expect(maker).toEqual({ kind: "local", id: null, name: null });
    expect(await codeOf(await store.fetch("/v1/events"))).toEqual([401, "unauthorized"]);
    while ((await stream.nextBlock()) !== undefined);
    const revoked = await store.fetch(`/v1/keys/${id}`, { method: "DELETE", headers: bearer(secret) });
    expect(revoked.status).toBe(204);
    expect(await codeOf(await store.fetch("/v1/events"))).toEqual([401, "unauthorized"]);
    expect(await codeOf(await store.fetch("/v1/events", { headers: bearer(secret) }))).toEqual([401, "unauthorized"]);
  });
});

interface LogLine {
  readonly operation?: string;
  readonly principal?: string;
  readonly reason?: string;
}

function collectLines() {
  const lines: LogLine[] = [];
  const logger = pino({ base: null }, { write: (line: string) => void lines.push(JSON.parse(line) as LogLine) });
  return { logger, lines: () => lines };
}

describe("the log of requests", () => {
  test("tells why a client was not let in, and who it is where it was, without the secret", async () => {
    const { logger, lines } = collectLines();
    let now = Date.now();
    await using store = await startStore({ API_KEYS }, { logger, now: () => now });
    const { id, secret } = await createdBy(store, { name: "web", grants: everywhere("read") });
    const expiring = await createdBy(store, {
      name: "brief",
      grants: everywhere("read"),
      expiresAt: new Date(now + 3_600_000).toISOString(),
    });
    const other = makeSecret("key").text;
    now = Date.parse(expiring.expiresAt ?? "");
    await store.fetch("/v1/albums", { headers: bearer(secret) });
    await store.fetch(`/v1/keys/${id}`, { method: "DELETE", headers: root });
    for (const text of [secret, other, expiring.secret, secret.slice(1), `${secret}x`])
      expect((await store.fetch("/v1/albums", { headers: bearer(text) })).status).toBe(401);
    const requests = lines().filter(({ operation }) => operation === "listAlbums");
    expect(requests.map(({ principal, reason }) => [principal, reason])).toEqual([
      ["key:web", undefined],
      [undefined, "revoked"],
      [undefined, "unknown"],
      [undefined, "expired"],
      [undefined, "unknown"],
      [undefined, "malformed"],
    ]);
    const text = JSON.stringify(lines());
    for (const each of [secret, other, expiring.secret]) expect(text).not.toContain(each.slice(-30));
  });
});

describe("events of keys", () => {
  test("are seen by callers with the right admin, in the list, the batch and the stream, and by no other", async () => {
    await using store = await startStore({ API_KEYS });
    const follower = await createdBy(store, { name: "follower", grants: everywhere("read", "events") });
    await store.send("POST", "/v1/albums", { name: "a" }, root);
    const typesAt = async (path: string, headers: Record<string, string>) => {
      const body = await jsonOf<{ items: { type: string }[] } | { type: string }[]>(
        await store.fetch(path, { headers }),
      );
      return (Array.isArray(body) ? body : body.items).map(({ type }) => type);
    };
    const [key, album] = ["imagestore.key.created", "imagestore.album.created"];
    for (const path of ["/v1/events", "/v1/events/batch"]) {
      expect(await typesAt(path, root)).toEqual([key, album]);
      expect(await typesAt(path, bearer(follower.secret))).toEqual([album]);
      expect(await typesAt(`${path}?type=key.created`, root)).toEqual([key]);
      const refused = await store.fetch(`${path}?type=key.created`, { headers: bearer(follower.secret) });
      expect(await jsonOf<Problem>(refused)).toMatchObject({ code: "forbidden", missing: ["admin"] });
    }
    const firstOf = async (headers: Record<string, string>) => {
      const stream = await openStream(`${store.url}/v1/events/stream`, headers);
      const block = await stream.next();
      await stream.close();
      return block;
    };
    expect((await firstOf(bearer(follower.secret)))?.event).toBe(album);
    const first = await firstOf(root);
    expect(first?.event).toBe(key);
    const event = JSON.parse(first?.data ?? "") as { subject: string; data: object };
    expect(event).toMatchObject({
      subject: `keys/${follower.id}`,
      data: { id: follower.id, name: "follower", reason: "user", actor: { kind: "key", id: "root", name: "root" } },
    });
    expect(JSON.stringify(event)).not.toContain(digest(follower.secret));
  });
});
