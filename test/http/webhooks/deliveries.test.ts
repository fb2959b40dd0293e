import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { encodeCursor } from "../../../src/domain/event.ts";
import { jsonOf } from "../harness.ts";
import { boss, problemOf, startWebhookStore, type Webhook } from "./webhook-store.ts";

const { store, get, deleteWebhooks, created, patch, act, cursorNames, save } = await startWebhookStore();
afterAll(() => store[Symbol.asyncDispose]());
afterEach(deleteWebhooks);

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
  const alerts = readFileSync(join(import.meta.dir, "../../../deploy/alerts.yaml"), "utf8");
  const [, pattern] = /event_reader_lag_seconds\{reader=~"([^"]+)"\}/.exec(alerts) ?? [];
  const series = /^image_store_event_reader_lag_seconds\{reader="([^"]+)"\}/gm;
  const readers = [...(await (await get("/metrics")).text()).matchAll(series)].map(([, reader]) => reader);
  expect(readers).toContain(`webhook:${id}`);
  expect(`webhook:${id}`).toMatch(new RegExp(`^(?:${pattern})$`));
});
