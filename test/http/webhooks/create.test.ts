import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { encodeCursor } from "../../../src/domain/event.ts";
import { jsonOf } from "../harness.ts";
import {
  bearer,
  boss,
  lookup,
  type Problem,
  problemOf,
  SECRET,
  startWebhookStore,
  URL,
  type Webhook,
} from "./webhook-store.ts";

const { store, get, deleteWebhooks, create, created, patch, act, auditEvents } = await startWebhookStore();
afterAll(() => store[Symbol.asyncDispose]());
afterEach(deleteWebhooks);

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
    lookup.whileSlow = async () => void (await patch(id, { albums: "*" }));
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
