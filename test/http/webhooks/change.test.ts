import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { until } from "../../waiting.ts";
import { jsonOf } from "../harness.ts";
import { boss, problemOf, SECRET, startWebhookStore, type Webhook } from "./webhook-store.ts";

const { store, get, deleteWebhooks, create, created, patch, act, auditEvents, save } = await startWebhookStore();
afterAll(() => store[Symbol.asyncDispose]());
afterEach(deleteWebhooks);

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
