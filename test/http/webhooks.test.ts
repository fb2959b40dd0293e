import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Webhook as Verifier } from "standardwebhooks";
import { StoreError } from "../../src/domain/errors.ts";
import { encodeCursor } from "../../src/domain/event.ts";
import type { WebhookReader } from "../../src/domain/webhook.ts";
import type { DeliveryProgress } from "../../src/domain/webhook-changes.ts";
import type { WebhookSender } from "../../src/ports/webhook-sender.ts";
import { until } from "../waiting.ts";
import { jsonOf, nowhere, startStore, type TestStore } from "./harness.ts";
import { testKeys } from "./test-keys.ts";

const { API_KEYS, bearer } = testKeys({
  boss: "read+write+delete+transform+share+events+admin",
  admin: "admin",
  follower: "events",
});
const boss = bearer("boss");
const URL = "https://hooks.example.com/images";
const SECRET = `whsec_${Buffer.alloc(24, 7).toString("base64")}`;

interface Webhook {
  readonly id: string;
  readonly secret?: string;
  readonly revision: number;
  readonly types: readonly string[] | null;
  readonly albums: unknown;
  readonly paused: boolean;
  readonly disabled: { readonly reason: string } | null;
  readonly createdBy: unknown;
  readonly formerSecretsUntil: string | null;
  readonly delivery: { readonly cursor: string; readonly lostEventsAt: string | null; readonly replay: unknown };
}
interface Problem {
  readonly code: string;
  readonly detail: string;
  readonly errors?: readonly { readonly pointer?: string; readonly detail: string }[];
}

/** What happens while the name of a host is looked up. */
let whileSlow = async () => {};
const sender: WebhookSender = {
  ...nowhere,
  async requireAllowed(url) {
    if (url.includes("slow")) await whileSlow();
    if (url.includes("intranet"))
      throw new StoreError("invalid_webhook_url", "The host intranet has a private address.");
  },
};

let store: TestStore;
beforeAll(async () => {
  store = await startStore({ API_KEYS }, { webhookSender: sender });
});
afterAll(() => store[Symbol.asyncDispose]());
afterEach(async () => {
  const { items } = await jsonOf<{ items: Webhook[] }>(await get("/v1/webhooks?pageSize=1000"));
  for (const { id } of items) await store.fetch(`/v1/webhooks/${id}`, { method: "DELETE", headers: boss });
});

const get = (path: string, headers: Record<string, string> = boss) => store.fetch(path, { headers });
const create = (body: object = {}, headers: Record<string, string> = boss) =>
  store.send("POST", "/v1/webhooks", { url: URL, ...body }, headers);
const created = async (body?: object) => jsonOf<Webhook>(await create(body));
const patch = (id: string, body: object, headers: Record<string, string> = boss) =>
  store.send("PATCH", `/v1/webhooks/${id}`, body, { ...headers, "Content-Type": "application/merge-patch+json" });
const act = (id: string, action: string, body: object = {}, headers = boss) =>
  store.send("POST", `/v1/webhooks/${id}/${action}`, body, headers);
const problemOf = async (response: Response): Promise<readonly [number, string]> => [
  response.status,
  (await jsonOf<Problem>(response)).code,
];
const auditEvents = async () =>
  (await jsonOf<{ items: { type: string; subject: string; data: object }[] }>(await get("/v1/events?limit=1000")))
    .items;

const cursorNames = async () =>
  (await jsonOf<{ items: { name: string }[] }>(await get("/v1/cursors"))).items.map(({ name }) => name);

/** As the worker saves it. */
async function save(id: string, progressOf: (reader: WebhookReader) => Partial<DeliveryProgress>): Promise<void> {
  const catalog = await store.openCatalog();
  try {
    const [found] = await catalog.webhooksToDeliver([id]);
    const [reader] = found?.readers ?? [];
    if (reader === undefined) throw new Error("The webhook is not delivered.");
    const { until: _until, ...state } = reader;
    const progress = [{ ...state, blocked: [], unblocked: [], attempts: [], ...progressOf(reader) }];
    await catalog.write({ type: "saveDeliveries", progress });
  } finally {
    await catalog[Symbol.asyncDispose]();
  }
}

describe("creating a webhook", () => {
  test("returns the record and, this once, the secret", async () => {
    const response = await create({
      types: ["image.created", "imagestore.image.created"],
      albums: { names: ["b", "a*", "b"] },
    });
    expect(response.status).toBe(201);
    const { secret, ...webhook } = await jsonOf<Webhook>(response);
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(webhook).toMatchObject({
      url: URL,
      types: ["imagestore.image.created"],
      albums: { names: ["a*", "b"] },
      description: null,
      paused: false,
      disabled: null,
      revision: 1,
      createdBy: { kind: "key", id: "boss", name: "boss" },
      formerSecretsUntil: null,
    });
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.get("location")).toBe(`/v1/webhooks/${webhook.id}`);
    const read = await get(`/v1/webhooks/${webhook.id}`);
    // The worker moves on meanwhile.
    const delivery = { ...webhook.delivery, cursor: expect.any(String), lagEvents: expect.any(Number) };
    const kept = { ...webhook, delivery };
    expect(await jsonOf<object>(read)).toEqual(kept);
    const list = await jsonOf<{ items: object[] }>(await get("/v1/webhooks"));
    expect(list.items).toEqual([kept]);
    const events = await auditEvents();
    expect(events.at(-1)).toMatchObject({ type: "imagestore.webhook.created", subject: `webhooks/${webhook.id}` });
    expect(JSON.stringify([list, events])).not.toContain("whsec_");
  });

  test("takes a secret of the client, and repeats its answer under an Idempotency-Key", async () => {
    const headers = { ...boss, "Idempotency-Key": "one" };
    const first = await jsonOf<Webhook>(await create({ secret: SECRET }, headers));
    const again = await create({ secret: SECRET }, headers);
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    expect(await jsonOf<Webhook>(again)).toEqual(first);
    expect(first.secret).toBe(SECRET);
    expect(await problemOf(await create({ description: "other" }, headers))).toEqual([422, "idempotency_key_reused"]);
    const made = { ...boss, "Idempotency-Key": "two" };
    const [one, two] = [await create({}, made), await create({}, made)];
    expect(await jsonOf<Webhook>(two)).toEqual(await jsonOf<Webhook>(one));
  });

  test("repeats no secret that came after the one that its answer had", async () => {
    const headers = { ...boss, "Idempotency-Key": "three" };
    const { id } = await jsonOf<Webhook>(await create({}, headers));
    const { secret = "" } = await jsonOf<Webhook>(await act(id, "rotate-secret"));
    const again = await (await create({}, headers)).text();
    expect(again).not.toContain(secret);
    expect(JSON.parse(again)).toMatchObject({ status: 422, code: "idempotency_key_reused" });
    const own = { ...boss, "Idempotency-Key": "four" };
    const chosen = await jsonOf<Webhook>(await create({ secret: SECRET }, own));
    await act(chosen.id, "rotate-secret");
    expect(await jsonOf<Webhook>(await create({ secret: SECRET }, own))).toMatchObject({ secret: SECRET });
  });

  test.each([
    [{ url: "https://intranet/" }, "invalid_webhook_url", undefined],
    [{ types: ["image.made"] }, "invalid_request", "/types/0"],
    [{ types: [] }, "invalid_request", "/types"],
    [{ albums: {} }, "invalid_request", "/albums"],
    [{ albums: { names: ["*"] } }, "invalid_request", "/albums"],
    [{ secret: "whsec_short" }, "invalid_request", "/secret"],
    [{ secret: SECRET.slice("whsec_".length) }, "invalid_request", "/secret"],
    [{ secret: `whsec_${Buffer.alloc(65).toString("base64")}` }, "invalid_request", "/secret"],
    [{ from: "yesterday" }, "invalid_request", "/from"],
    [{ description: "x".repeat(501) }, "invalid_request", "/description"],
    [{ paused: true }, "invalid_request", "/paused"],
    [{ url: 7 }, "invalid_request", "/url"],
  ])("%j is 400 %s", async (body, code, pointer) => {
    const response = await create(body);
    const problem = await jsonOf<Problem>(response);
    expect([response.status, problem.code]).toEqual([400, code]);
    if (pointer !== undefined) expect(problem.errors?.[0]?.pointer).toStartWith(pointer);
    expect((await jsonOf<{ items: object[] }>(await get("/v1/webhooks"))).items).toEqual([]);
  });

  test("begins at a cursor of the log, and at none of another", async () => {
    const { watermark } = await jsonOf<{ watermark: string }>(await get("/v1/albums"));
    expect((await created({ from: watermark })).delivery.cursor).toBe(watermark);
    expect((await created({ from: "now" })).delivery.cursor).not.toBe(watermark);
    const other = encodeCursor({ epoch: 1, seq: 1 });
    expect(await problemOf(await create({ from: other }))).toEqual([410, "cursor_unknown"]);
  });

  test("gets no other URL from a caller whose request overlaps with one that gives it more albums", async () => {
    const grants = [
      { rights: ["admin"], albums: "*" },
      { rights: ["events"], albums: { names: ["press-*"] } },
    ];
    const key = await jsonOf<{ secret: string }>(await store.send("POST", "/v1/keys", { name: "press", grants }, boss));
    const some = { Authorization: `Bearer ${key.secret}` };
    const { id } = await created({ albums: { names: ["press-*"] } });
    whileSlow = async () => void (await patch(id, { albums: "*" }));
    expect(await problemOf(await patch(id, { url: "https://slow.example.com/" }, some))).toEqual([
      412,
      "precondition_failed",
    ]);
    expect(await jsonOf<object>(await get(`/v1/webhooks/${id}`))).toMatchObject({ url: URL, albums: "*" });
    expect(await problemOf(await patch(id, { url: "https://slow.example.com/" }, some))).toEqual([403, "forbidden"]);
  });

  test("gives a caller no events that it may not read", async () => {
    const lacking = await create({}, bearer("admin"));
    expect(lacking.status).toBe(403);
    expect(await jsonOf<object>(lacking)).toMatchObject({ code: "forbidden", missing: ["events"] });
    expect((await create({}, bearer("follower"))).status).toBe(403);
    const grants = [
      { rights: ["admin"], albums: "*" },
      { rights: ["events"], albums: { names: ["mine-*"] } },
    ];
    const key = await jsonOf<{ secret: string }>(await store.send("POST", "/v1/keys", { name: "some", grants }, boss));
    const some = { Authorization: `Bearer ${key.secret}` };
    expect((await create({ albums: { names: ["mine-1", "mine-2*"] } }, some)).status).toBe(201);
    for (const albums of ["*", { names: ["mine-1", "other"] }, { names: ["m*"] }])
      expect(await problemOf(await create({ albums }, some))).toEqual([403, "forbidden"]);
    const { id } = await created();
    for (const change of [{ url: `${URL}/2` }, { types: null }, { albums: { names: ["other"] } }])
      expect(await problemOf(await patch(id, change, some))).toEqual([403, "forbidden"]);
    expect((await patch(id, { albums: { names: ["mine-1"] } }, some)).status).toBe(200);
    expect((await patch(id, { paused: true }, bearer("admin"))).status).toBe(200);
  });
});

describe("a webhook", () => {
  test("is changed by a merge patch under If-Match", async () => {
    const { id } = await created();
    const read = await get(`/v1/webhooks/${id}`);
    const tag = read.headers.get("etag") ?? "";
    const changed = await patch(
      id,
      { paused: true, description: "CDN", types: ["key.created"] },
      { ...boss, "If-Match": tag },
    );
    expect(changed.status).toBe(200);
    expect(await jsonOf<Webhook>(changed)).toMatchObject({
      paused: true,
      description: "CDN",
      types: ["imagestore.key.created"],
      revision: 2,
    });
    expect(await problemOf(await patch(id, { paused: false }, { ...boss, "If-Match": tag }))).toEqual([
      412,
      "precondition_failed",
    ]);
    expect(await jsonOf<Webhook>(await patch(id, { types: null, description: null }))).toMatchObject({
      types: null,
      description: null,
      revision: 3,
    });
    const bad = { ...boss, "If-Match": tag };
    expect((await store.fetch(`/v1/webhooks/${id}`, { method: "DELETE", headers: bad })).status).toBe(412);
    expect((await get(`/v1/webhooks/${id}`, { ...boss, "If-None-Match": tag })).status).toBe(200);
  });

  test("refuses a URL that the store must not connect to, and to be disabled by a client", async () => {
    const { id } = await created();
    expect(await problemOf(await patch(id, { url: "https://intranet/" }))).toEqual([400, "invalid_webhook_url"]);
    for (const disabled of [{ reason: "gone", at: "2026-07-14T09:30:00.000Z" }, true])
      expect(await problemOf(await patch(id, { disabled }))).toEqual([400, "invalid_request"]);
    expect(await jsonOf<Webhook>(await get(`/v1/webhooks/${id}`))).toMatchObject({ revision: 1, disabled: null });
  });

  test("that is not there is 404 webhook_not_found", async () => {
    const responses = [
      await get("/v1/webhooks/none"),
      await get("/v1/webhooks/none/deliveries"),
      await patch("none", { paused: true }),
      await act("none", "replay", { from: "2026-07-14T09:30:00Z" }),
      await act("none", "rotate-secret"),
      await act("none", "test"),
      await store.fetch("/v1/webhooks/none", { method: "DELETE", headers: boss }),
    ];
    for (const response of responses) expect(await problemOf(response)).toEqual([404, "webhook_not_found"]);
  });

  test("outlives the key that made it, and says which that was", async () => {
    const grants = [{ rights: ["admin", "events"], albums: "*" }];
    const key = await jsonOf<{ id: string; secret: string }>(
      await store.send("POST", "/v1/keys", { name: "maker", grants }, boss),
    );
    const by = { Authorization: `Bearer ${key.secret}` };
    const { id } = await jsonOf<Webhook>(await create({}, by));
    await store.fetch(`/v1/keys/${key.id}?recursive=true`, { method: "DELETE", headers: boss });
    expect((await create({}, by)).status).toBe(401);
    const webhook = await jsonOf<Webhook>(await get(`/v1/webhooks/${id}`));
    expect(webhook).toMatchObject({ disabled: null, createdBy: { kind: "key", id: key.id, name: "maker" } });
  });

  test("that the store disabled is enabled by a patch, and by nothing else", async () => {
    const { id } = await created();
    await save(id, () => ({ disable: "gone", failures: 1 }));
    const disabled = await jsonOf<Webhook>(await patch(id, { paused: false, description: "x" }));
    expect(disabled.disabled?.reason).toBe("gone");
    expect((await jsonOf<Webhook>(await patch(id, { disabled: null }))).disabled).toBeNull();
    const types = (await auditEvents()).filter(({ subject }) => subject === `webhooks/${id}`).map(({ type }) => type);
    expect(types).toEqual([
      "imagestore.webhook.created",
      "imagestore.webhook.disabled",
      "imagestore.webhook.updated",
      "imagestore.webhook.updated",
    ]);
  });

  test("names no end of former secrets once they sign no more", async () => {
    const { id } = await created();
    const catalog = await store.openCatalog();
    try {
      await catalog.write({ type: "rotateWebhookSecret", id, secret: SECRET, overlap: 1 });
    } finally {
      await catalog[Symbol.asyncDispose]();
    }
    const read = async () => jsonOf<Webhook>(await get(`/v1/webhooks/${id}`));
    await until(async () => (await read()).formerSecretsUntil === null);
  });

  test("gets another secret, and says until when the former one signs too", async () => {
    const { id, secret } = await created();
    const rotated = await act(id, "rotate-secret");
    const webhook = await jsonOf<Webhook>(rotated);
    expect(rotated.headers.get("cache-control")).toBe("no-store");
    expect(webhook.secret).toMatch(/^whsec_/);
    expect(webhook.secret).not.toBe(secret ?? "");
    const left = Date.parse(webhook.formerSecretsUntil ?? "") - Date.now();
    expect(left).toBeGreaterThan(23 * 3_600_000);
    expect(left).toBeLessThanOrEqual(25 * 3_600_000);
    expect((await jsonOf<Webhook>(await act(id, "rotate-secret", { secret: SECRET }))).secret).toBe(SECRET);
    expect(await problemOf(await act(id, "rotate-secret", { secret: "x" }))).toEqual([400, "invalid_request"]);
    expect(JSON.stringify(await auditEvents())).not.toContain("whsec_");
  });
});

describe("the deliveries of a webhook", () => {
  test("are listed newest first, in pages", async () => {
    const { id } = await created();
    const attempts = [1, 2, 3].map((attempt) => ({
      id: Bun.randomUUIDv7(),
      eventId: "0192e4a0-8f10-7aa1-8c11-0d9e8f7a6b5c",
      type: "imagestore.image.created" as const,
      seq: 4,
      replay: false,
      attempt,
      startedAt: 1_784_021_400_000 + attempt,
      milliseconds: 48,
      delivered: attempt === 3,
      status: attempt === 3 ? 204 : null,
      error: attempt === 3 ? null : { code: "timeout", detail: "There was no response within 15 seconds." },
      response: "",
    }));
    await save(id, () => ({ attempts }));
    interface Page {
      readonly items: readonly { readonly attempt: number }[];
      readonly nextPageToken?: string;
    }
    const first = await jsonOf<Page>(await get(`/v1/webhooks/${id}/deliveries?pageSize=2`));
    expect(first.items).toMatchObject([
      { attempt: 3, delivered: true, status: 204, error: null, startedAt: "2026-07-14T09:30:00.003Z" },
      { attempt: 2, delivered: false, status: null, error: { code: "timeout" } },
    ]);
    const token = encodeURIComponent(first.nextPageToken ?? "");
    const second = await jsonOf<Page>(await get(`/v1/webhooks/${id}/deliveries?pageSize=2&pageToken=${token}`));
    expect(second.items.map(({ attempt }) => attempt)).toEqual([1]);
    expect(second.nextPageToken).toBeUndefined();
    const other = await created();
    expect(await problemOf(await get(`/v1/webhooks/${other.id}/deliveries?pageToken=${token}`))).toEqual([
      400,
      "invalid_page_token",
    ]);
  });

  test("are sent again from a cursor or a time, and as a range beside new ones", async () => {
    const { watermark } = await jsonOf<{ watermark: string }>(await get("/v1/albums"));
    const since = new Date(Date.now() - 3_600_000).toISOString();
    await store.send("PUT", "/v1/albums/replayed", {}, boss);
    // Its event has a number once it is listed.
    await get("/v1/events");
    const { id, delivery } = await created();
    expect(delivery.cursor).not.toBe(watermark);
    // Or the worker would go on from there at once.
    await patch(id, { paused: true });
    const back = await act(id, "replay", { from: watermark });
    expect(back.status).toBe(202);
    expect(await jsonOf<object>(back)).toMatchObject({ from: watermark });
    expect((await jsonOf<Webhook>(await get(`/v1/webhooks/${id}`))).delivery.cursor).toBe(watermark);

    const range = await act(id, "replay", { from: since, to: delivery.cursor });
    expect(range.status).toBe(202);
    const { from, to } = await jsonOf<{ from: string; to: string }>(range);
    expect(to).toBe(delivery.cursor);
    const { replay } = (await jsonOf<Webhook>(await get(`/v1/webhooks/${id}`))).delivery;
    expect(replay).toEqual({ cursor: from, to });
    expect(await problemOf(await act(id, "replay", { from: watermark, to }))).toEqual([409, "webhook_replaying"]);
    expect(await problemOf(await act(id, "replay", { from: to, to: watermark }))).toEqual([400, "invalid_request"]);
    const other = encodeCursor({ epoch: 1, seq: 1 });
    expect(await problemOf(await act(id, "replay", { from: other }))).toEqual([410, "cursor_unknown"]);
    expect(await problemOf(await act(id, "replay", { from: "soon" }))).toEqual([400, "invalid_request"]);
    expect(await problemOf(await act(id, "replay", {}))).toEqual([400, "invalid_request"]);
  });

  test("have a durable cursor, which goes with the webhook and not before", async () => {
    const { id } = await created();
    const name = `webhook:${id}`;
    expect(await cursorNames()).toContain(name);
    const path = `/v1/cursors/${encodeURIComponent(name)}`;
    const deleted = await store.fetch(path, { method: "DELETE", headers: boss });
    expect(await problemOf(deleted)).toEqual([409, "cursor_of_webhook"]);
    const rewound = await store.send("POST", `${path}/rewind`, { to: "2026-07-14T09:30:00Z" }, boss);
    expect(await problemOf(rewound)).toEqual([409, "cursor_of_webhook"]);
    await store.fetch(`/v1/webhooks/${id}`, { method: "DELETE", headers: boss });
    expect(await cursorNames()).not.toContain(name);
  });
});

test("the alert about webhooks that are behind selects the series of a webhook", async () => {
  const { id } = await created();
  const alerts = readFileSync(join(import.meta.dir, "../../deploy/alerts.yaml"), "utf8");
  const [, pattern] = /event_reader_lag_seconds\{reader=~"([^"]+)"\}/.exec(alerts) ?? [];
  const series = /^image_store_event_reader_lag_seconds\{reader="([^"]+)"\}/gm;
  const readers = [...(await (await get("/metrics")).text()).matchAll(series)].map(([, reader]) => reader);
  expect(readers).toContain(`webhook:${id}`);
  expect(`webhook:${id}`).toMatch(new RegExp(`^(?:${pattern})$`));
});

describe("a test of a webhook", () => {
  interface Result {
    readonly eventId: string;
    readonly delivered: boolean;
    readonly status: number | null;
    readonly error: { readonly code: string } | null;
    readonly response: string;
  }

  test("sends an event that is not in the log, signed, and returns what came of it", async () => {
    const received: { headers: Headers; body: string }[] = [];
    let status = 200;
    using receiver = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      async fetch(request) {
        received.push({ headers: request.headers, body: await request.text() });
        return new Response("thanks", { status });
      },
    });
    const settings = { OUTBOUND_HTTP: "true", OUTBOUND_ALLOW: "127.0.0.1/32", OUTBOUND_PORTS: "1-65535" };
    await using open = await startStore(settings);
    const url = `http://127.0.0.1:${receiver.port}/hook`;
    const { id, secret = "" } = await jsonOf<Webhook>(await open.send("POST", "/v1/webhooks", { url }));
    await open.send("PATCH", `/v1/webhooks/${id}`, { paused: true }, { "Content-Type": "application/json" });
    const send = async () => jsonOf<Result>(await open.fetch(`/v1/webhooks/${id}/test`, { method: "POST" }));
    const { eventId, ...result } = await send();
    expect(result).toMatchObject({ delivered: true, status: 200, error: null, response: "thanks" });
    const [first] = received;
    const headers = Object.fromEntries(first?.headers ?? []);
    expect(new Verifier(secret).verify(first?.body ?? "", headers)).toMatchObject({
      id: eventId,
      type: "imagestore.webhook.test",
      subject: `webhooks/${id}`,
      data: { id, url, paused: true },
    });
    expect(first?.body).not.toContain("whsec_");

    const rotated = await jsonOf<Webhook>(await open.send("POST", `/v1/webhooks/${id}/rotate-secret`, {}));
    status = 503;
    expect(await send()).toMatchObject({ delivered: false, status: 503, error: { code: "unexpected_status" } });
    const [, second] = received;
    for (const one of [secret, rotated.secret ?? ""])
      new Verifier(one).verify(second?.body ?? "", Object.fromEntries(second?.headers ?? []));
    const { items } = await jsonOf<{ items: object[] }>(await open.fetch(`/v1/webhooks/${id}/deliveries`));
    expect(items).toEqual([]);
    const events = await jsonOf<{ items: { type: string }[] }>(await open.fetch("/v1/events"));
    expect(events.items.map(({ type }) => type)).not.toContain("imagestore.webhook.test");
  });
});

describe("the URL of a webhook", () => {
  test.each([
    "http://hooks.example.com/",
    "https://127.0.0.1/",
    "https://[::1]/",
    "https://0x7f000001/",
    "https://169.254.169.254/latest/meta-data",
    "https://localhost./",
    "https://user:password@203.0.113.7/",
    "https://203.0.113.7:22/",
    "https://no-such-host.invalid/",
    "ftp://203.0.113.7/",
    "nonsense",
    "",
  ])("%s is 400 invalid_webhook_url, which says why", async (url) => {
    await using guarded = await startStore();
    const response = await guarded.send("POST", "/v1/webhooks", { url });
    const problem = await jsonOf<Problem>(response);
    expect([response.status, problem.code]).toEqual([400, "invalid_webhook_url"]);
    expect(problem.errors).toEqual([{ pointer: "/url", detail: problem.detail }]);
    expect(problem.detail.length).toBeGreaterThan(10);
  });
});
