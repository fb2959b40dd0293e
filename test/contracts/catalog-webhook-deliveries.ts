import { describe, expect, test } from "bun:test";
import { MAX_DELIVERIES, type WebhookReader, webhookCursor } from "../../src/domain/webhook.ts";
import type { OpenCatalog } from "../catalog-changes.ts";
import { expectCode } from "../errors.ts";
import { attemptOf, BY, blockedAt, progressOf, useWebhooks } from "../webhook-changes.ts";

export function webhookDeliveryContract(open: OpenCatalog): void {
  const { catalog, create, patch, replay, createAlbums, webhookEvents, readerOf, liveOf, save, cursorOf } =
    useWebhooks(open);

  describe("the deliveries of a webhook", () => {
    test("are saved with position, blocked albums and attempts, and hold the cursor back", async () => {
      const { id } = await create();
      await createAlbums(6);
      const seq = (await catalog().log()).lastSequence;
      const failed = { delivered: false, status: 503, error: { code: "status", detail: "It answered 503." } };
      const attempts = [attemptOf(seq - 3, failed), attemptOf(seq - 2)];
      const state = { failures: 1, failingSince: 4000, retryAt: 6000 };
      const blocked = [blockedAt("a", seq - 3)];
      const reader = await liveOf(id);
      expect(await save(progressOf(reader, { position: seq, ...state, blocked, attempts }))).toEqual({
        stale: [],
        disabled: [],
      });
      expect(await readerOf(id)).toEqual({ ...reader, position: seq, ...state, blocked });
      expect(await cursorOf(id)).toBe(seq - 4);
      const status = await catalog().webhook(id);
      expect(status?.delivery).toMatchObject({
        position: { seq },
        lagEvents: 0,
        blockedAlbums: 1,
        failingSince: new Date(4000).toISOString(),
        retryAt: new Date(6000).toISOString(),
      });
      const page = await catalog().webhookDeliveries({ webhookId: id, limit: 9 });
      expect(page.items).toEqual(attempts.toReversed());

      const settled = { position: seq, failures: 0, failingSince: null, retryAt: null, unblocked: ["a"] };
      await save(progressOf(reader, settled));
      expect(await readerOf(id)).toEqual({ ...reader, position: seq });
      expect(await cursorOf(id)).toBe(seq);
    });

    test("of several webhooks are saved by one change, and a deleted one is told", async () => {
      const ids = [(await create()).id, (await create()).id, (await create()).id] as const;
      await createAlbums(3);
      const seq = (await catalog().log()).lastSequence;
      const readers = await Promise.all(ids.map(liveOf));
      await catalog().write({ type: "deleteWebhook", id: ids[1] });
      const saved = await save(
        ...readers.map((reader) => progressOf(reader, { position: seq, attempts: [attemptOf(1)] })),
      );
      expect(saved).toEqual({ stale: [{ webhookId: ids[1], kind: "live" }], disabled: [] });
      for (const id of [ids[0], ids[2]]) expect(await cursorOf(id)).toBe(seq);
    });

    test(`are the last ${MAX_DELIVERIES}, newest first, in pages`, async () => {
      const { id } = await create();
      const reader = await liveOf(id);
      const attempts = Array.from({ length: MAX_DELIVERIES + 230 }, (_, index) => attemptOf(index));
      await save(progressOf(reader, { attempts: attempts.slice(0, 600) }));
      await save(progressOf(reader, { attempts: attempts.slice(600) }));
      // As after a save with an unknown outcome.
      await save(progressOf(reader, { attempts: attempts.slice(1200) }));
      const found: string[] = [];
      let page = await catalog().webhookDeliveries({ webhookId: id, limit: 700 });
      found.push(...page.items.map((one) => one.id));
      while (page.next !== undefined) {
        page = await catalog().webhookDeliveries({ webhookId: id, limit: 700, start: page.next });
        found.push(...page.items.map((one) => one.id));
      }
      expect(found).toEqual(
        attempts
          .map((one) => one.id)
          .toReversed()
          .slice(0, MAX_DELIVERIES),
      );
    });

    test("are refused to a worker that lost the lease", async () => {
      const { id } = await create();
      const lease = (holder: string, milliseconds: number) =>
        catalog().write({ type: "acquireLease", name: "webhooks", holder, milliseconds });
      const { token } = await lease("one", -1);
      await lease("two", 60_000);
      const fence = { lease: "webhooks", token: token ?? 0 };
      const progress = [progressOf(await liveOf(id), { attempts: [attemptOf(1)] })];
      await expectCode(catalog().write({ type: "saveDeliveries", progress, fence }), "lease_lost");
      expect((await catalog().webhookDeliveries({ webhookId: id, limit: 9 })).items).toEqual([]);
    });

    test("disable no webhook for a replay that fails while its other deliveries arrive", async () => {
      const { id } = await create();
      await createAlbums(4);
      await replay(id, 0, 2);
      const [live, again] = [await liveOf(id), (await readerOf(id, "replay")) as WebhookReader];
      await save(progressOf(live, { attempts: [attemptOf(1, { startedAt: Date.now() })] }));
      const failing = progressOf(again, { failures: 40, blocked: [blockedAt("a", 1)], disable: "failing" });
      expect(await save(failing)).toEqual({ stale: [{ webhookId: id, kind: "replay" }], disabled: [] });
      expect(await catalog().webhook(id)).toMatchObject({ disabled: null });
      expect(await readerOf(id, "replay")).toMatchObject({ failures: 40, blocked: [blockedAt("a", 1)] });
      expect(await save({ ...failing, disable: "gone" })).toMatchObject({
        disabled: [{ webhookId: id, reason: "gone" }],
      });
    });

    test("disable a webhook once, as an event of the store, and go on where they stopped", async () => {
      const { id } = await create();
      await createAlbums(4);
      const reader = await liveOf(id);
      const position = reader.position + 2;
      const state = { position, failures: 9, failingSince: 4000, retryAt: 6000, blocked: [blockedAt("a", position)] };
      const first = await save(progressOf(reader, { ...state, disable: "failing" }));
      expect(first).toEqual({ stale: [], disabled: [{ webhookId: id, reason: "failing" }] });
      const second = await save(progressOf(reader, { ...state, disable: "gone" }));
      expect(second).toEqual({ stale: [], disabled: [] });
      const disabled = await catalog().webhook(id);
      expect(disabled).toMatchObject({ disabled: { reason: "failing" }, revision: 2 });
      expect(await catalog().webhooksToDeliver()).toEqual([]);
      const events = await webhookEvents();
      expect(events.map(({ type }) => type)).toEqual(["imagestore.webhook.created", "imagestore.webhook.disabled"]);
      expect(JSON.parse(events[1]?.data ?? "")).toMatchObject({
        disabled: disabled?.disabled,
        actor: { kind: "store" },
        reason: "delivery-failed",
      });

      expect(await patch(id, { disabled: null })).toMatchObject({ disabled: null, revision: 3 });
      const again = await liveOf(id);
      expect(again).toMatchObject({ position, failures: 0, failingSince: null, retryAt: null });
      expect(again.blocked).toMatchObject([{ albumId: "a", seq: position, attempts: 0 }]);
      expect(again.blocked[0]?.nextAttemptAt).toBeLessThanOrEqual(Date.now() + 60_000);
    });

    test("of a worker that read a webhook before it was enabled or got another URL are left out", async () => {
      const { id } = await create();
      await createAlbums(1);
      const reader = await liveOf(id);
      await patch(id, { url: "https://example.com/other" });
      const stale = progressOf(reader, { position: reader.position + 1, disable: "failing", attempts: [attemptOf(1)] });
      expect(await save(stale)).toEqual({ stale: [{ webhookId: id, kind: "live" }], disabled: [] });
      expect(await catalog().webhook(id)).toMatchObject({ disabled: null });
      expect((await liveOf(id)).position).toBe(reader.position);
      // They were made all the same.
      expect((await catalog().webhookDeliveries({ webhookId: id, limit: 9 })).items).toHaveLength(1);
    });
  });

  describe("the log", () => {
    test("keeps what a webhook has not delivered, until it is over its limit; then the webhook goes on behind it", async () => {
      const { id } = await create();
      await createAlbums(6);
      const end = (await catalog().log()).lastSequence;
      const reader = await liveOf(id);
      await save(progressOf(reader, { position: end - 1, blocked: [blockedAt("a", 2), blockedAt("b", end - 1)] }));
      await replay(id, 1, 3);
      const kept = await catalog().write({ type: "pruneEvents", retention: -60_000, maxBytes: null, limit: 1000 });
      expect(kept).toMatchObject({ pruned: 1, droppedCursors: [] });

      const dropped = await catalog().write({ type: "pruneEvents", retention: null, maxBytes: 0, limit: 3 });
      expect(dropped).toMatchObject({ pruned: 3, droppedCursors: [webhookCursor(id)] });
      const after = await liveOf(id);
      expect(after).toMatchObject({
        position: end - 1,
        blocked: [
          { albumId: "a", seq: 5 },
          { albumId: "b", seq: end - 1 },
        ],
      });
      expect(await readerOf(id, "replay")).toBeUndefined();
      expect(await cursorOf(id)).toBe(4);
      expect((await catalog().webhook(id))?.delivery.lostEventsAt).not.toBeNull();
      expect(await save(progressOf(reader, { position: end }))).toMatchObject({ stale: [{ webhookId: id }] });
    });

    test("lets no client delete or rewind the cursor of a webhook", async () => {
      const { id } = await create();
      await expectCode(catalog().write({ type: "deleteCursor", name: webhookCursor(id) }), "cursor_of_webhook");
      const rewind = { type: "rewindCursor", name: webhookCursor(id), to: { time: 0 }, by: BY } as const;
      await expectCode(catalog().write(rewind), "cursor_of_webhook");
      await expectCode(catalog().write({ type: "deleteCursor", name: webhookCursor("none") }), "cursor_not_found");
    });
  });
}
