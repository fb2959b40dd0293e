import { describe, expect, test } from "bun:test";
import { encodeCursor } from "../../src/domain/event.ts";
import type { WebhookReader } from "../../src/domain/webhook.ts";
import type { LogPoint } from "../../src/domain/webhook-changes.ts";
import { loggedState, type OpenCatalog } from "../catalog-changes.ts";
import { expectCode } from "../errors.ts";
import { BY, blockedAt, progressOf, useWebhooks } from "../webhook-changes.ts";

export function webhookReplayContract(open: OpenCatalog): void {
  const { catalog, create, replay, createAlbums, webhookEvents, readerOf, liveOf, save, cursorOf } = useWebhooks(open);

  describe("a replay", () => {
    test("without an end moves the deliveries back, which a worker that saves late does not undo", async () => {
      const { id } = await create();
      await createAlbums(6);
      const end = (await catalog().log()).lastSequence;
      const before = await liveOf(id);
      const blocked = [blockedAt("far", 2), blockedAt("near", end - 1)];
      await save(progressOf(before, { position: end, blocked }));
      expect(await replay(id, 3, null)).toMatchObject({ from: 3, to: end });
      expect(await save(progressOf(before, { position: end }))).toMatchObject({ stale: [{ webhookId: id }] });
      const after = await liveOf(id);
      expect(after.position).toBe(3);
      expect(after.blocked).toEqual([blockedAt("far", 2)]);
      expect(await cursorOf(id)).toBe(1);
      await loggedState(catalog());
      const event = (await webhookEvents()).at(-1);
      expect(event?.type).toBe("imagestore.webhook.replayed");
      const { epoch } = await catalog().log();
      expect(JSON.parse(event?.data ?? "")).toMatchObject({ from: encodeCursor({ epoch, seq: 3 }), to: null });
    });

    test("does not move deliveries forward", async () => {
      const { id } = await create();
      await createAlbums(6);
      const { position } = await liveOf(id);
      await replay(id, position + 3, null);
      expect((await liveOf(id)).position).toBe(position);
    });

    test("that does not move deliveries keeps the albums that wait for a retry", async () => {
      const { id } = await create();
      await createAlbums(6);
      const before = await liveOf(id);
      const end = (await catalog().log()).lastSequence;
      const blocked = [blockedAt("a", end - 1)];
      await save(progressOf(before, { blocked }));
      await replay(id, before.position + 1, null);
      // The worker goes on from what it has in memory, where the album is blocked.
      expect(await save(progressOf(before, { position: end }))).toMatchObject({ stale: [] });
      expect(await liveOf(id)).toMatchObject({ position: end, blocked });
      expect(await cursorOf(id)).toBe(end - 2);
    });

    test("of a range has a reader of its own, which ends with the range", async () => {
      const { id } = await create();
      await createAlbums(6);
      const end = (await catalog().log()).lastSequence;
      const live = await liveOf(id);
      await save(progressOf(live, { position: end }));
      expect(await replay(id, 1, 4)).toMatchObject({ from: 1, to: 4 });
      await expectCode(replay(id, 2, 4), "webhook_replaying");
      const reader = (await readerOf(id, "replay")) as WebhookReader;
      expect(reader).toMatchObject({ position: 1, until: 4, blocked: [] });
      expect(await liveOf(id)).toMatchObject({ position: end, generation: live.generation });
      expect(await cursorOf(id)).toBe(1);
      expect((await catalog().webhook(id))?.delivery.replay).toMatchObject({ position: { seq: 1 }, until: { seq: 4 } });

      await save(progressOf(reader, { position: 4, blocked: [blockedAt("a", 3)] }));
      expect(await cursorOf(id)).toBe(2);
      await save(progressOf(reader, { position: 4, unblocked: ["a"] }));
      expect(await readerOf(id, "replay")).toBeUndefined();
      expect(await cursorOf(id)).toBe(end);

      await replay(id, 0, 2);
      const next = (await readerOf(id, "replay")) as WebhookReader;
      expect(next.generation).not.toBe(reader.generation);
      expect(await save(progressOf(reader, { position: 4 }))).toMatchObject({ stale: [{ kind: "replay" }] });
      expect(await readerOf(id, "replay")).toEqual(next);
    });

    test("begins and ends at times", async () => {
      const { id } = await create();
      await createAlbums(40);
      const { epoch, lastSequence } = await loggedState(catalog());
      await save(progressOf(await liveOf(id), { position: lastSequence }));
      const { events } = await catalog().events({ visibility: "all", audit: true, limit: 100 });
      const before = (time: number) => (events.find((event) => event.time >= time)?.seq ?? 0) - 1;
      const begin = (from: LogPoint, to: LogPoint | null) =>
        catalog().write({ type: "replayWebhook", id, from, to, by: BY });
      const times = [...new Set(events.map((event) => event.time))];
      for (const time of times) expect((await begin({ time }, null)).from).toBe(before(time));
      expect((await begin({ time: 0 }, null)).from).toBe(0);
      const future = await begin({ time: Date.now() + 60_000 }, null);
      expect(future.from).toBe(future.to);
      const last = times.at(-1) ?? 0;
      expect(await begin({ time: times[0] ?? 0 }, { time: last })).toEqual({ epoch, from: 0, to: before(last) });
      const backwards = { from: { epoch, seq: 9 }, to: { epoch, seq: 8 } };
      await expectCode(begin(backwards.from, backwards.to), "invalid_request");
    });

    test("of nothing, of what is not kept, and of another log are not begun", async () => {
      const { id } = await create();
      await createAlbums(4);
      const { epoch } = await catalog().log();
      await replay(id, 3, 3);
      expect(await readerOf(id, "replay")).toBeUndefined();
      await expectCode(replay("none", 1, 2), "webhook_not_found");
      const from = { epoch: epoch + 1, seq: 1 };
      await expectCode(catalog().write({ type: "replayWebhook", id, from, to: null }), "cursor_unknown");
      const { lastSequence } = await loggedState(catalog());
      await save(progressOf(await liveOf(id), { position: lastSequence }));
      await catalog().write({ type: "pruneEvents", retention: -60_000, maxBytes: null, limit: 3 });
      await expectCode(replay(id, 1, null), "cursor_expired");
    });
  });
}
