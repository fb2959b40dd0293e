import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { encodeCursor } from "../../src/domain/event.ts";
import type { Requester } from "../../src/domain/requested.ts";
import {
  type DeliveryAttempt,
  MAX_DELIVERIES,
  MAX_WEBHOOKS,
  type ReaderKind,
  type WebhookReader,
  webhookCursor,
} from "../../src/domain/webhook.ts";
import type { CreateWebhook, DeliveryProgress, LogPoint } from "../../src/domain/webhook-changes.ts";
import {
  createAlbum,
  createKey,
  eventsAfter,
  loggedState,
  type OpenCatalog,
  type OpenedCatalog,
} from "../catalog-changes.ts";
import { expectCode } from "../errors.ts";

const URL = "https://example.com/hook";
const SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz";
const BY: Requester = { actor: { kind: "key", id: "k1", name: "admin" }, albums: "all", shared: "all" };

const progressOf = (reader: WebhookReader, more: Partial<DeliveryProgress> = {}): DeliveryProgress => {
  const { webhookId, kind, generation, position, failures, failingSince, retryAt } = reader;
  const state = { webhookId, kind, generation, position, failures, failingSince, retryAt };
  return { ...state, blocked: [], unblocked: [], attempts: [], ...more };
};

const blockedAt = (albumId: string, seq: number) => ({
  albumId,
  seq,
  attempts: 2,
  nextAttemptAt: 5000,
  failingSince: 4000,
});

const attemptOf = (seq: number, more: Partial<DeliveryAttempt> = {}): DeliveryAttempt => ({
  id: Bun.randomUUIDv7(),
  eventId: `event${seq}`,
  type: "imagestore.album.created",
  seq,
  replay: false,
  attempt: 1,
  startedAt: 1_800_000_000_000 + seq,
  milliseconds: 12,
  delivered: true,
  status: 200,
  error: null,
  response: "ok",
  ...more,
});

export function webhookContract(open: OpenCatalog): void {
  let catalog: OpenedCatalog;
  beforeEach(async () => {
    catalog = await open();
  });
  afterEach(() => catalog[Symbol.asyncDispose]());

  let made = 0;
  const newWebhook = (more: Partial<CreateWebhook> = {}): CreateWebhook => {
    made += 1;
    const fields = { url: URL, types: null, albums: "*", description: null, secret: SECRET, from: null } as const;
    return { type: "createWebhook", id: `hook${String(made).padStart(4, "0")}`, ...fields, by: BY, ...more };
  };
  const create = async (more?: Partial<CreateWebhook>) => (await catalog.write(newWebhook(more))).value;
  const patch = (id: string, change: object) => catalog.write({ type: "updateWebhook", id, patch: change, by: BY });
  const replay = async (id: string, from: number, to: number | null) => {
    const { epoch } = await catalog.log();
    const end = to === null ? null : { epoch, seq: to };
    return catalog.write({ type: "replayWebhook", id, from: { epoch, seq: from }, to: end, by: BY });
  };

  /** Albums `a0`, `a1`, …, each with one event. */
  const createAlbums = async (count: number) => {
    const from = (await loggedState(catalog)).lastSequence;
    for (let index = 0; index < count; index++) await createAlbum(catalog, `a${from}-${index}`);
    await eventsAfter(catalog, from, count);
  };
  const webhookEvents = async () => {
    await loggedState(catalog);
    const { events } = await catalog.events({ visibility: "all", audit: true, limit: 1000 });
    return events.filter(({ subject }) => subject?.startsWith("webhooks/"));
  };

  const readerOf = async (id: string, kind: ReaderKind = "live"): Promise<WebhookReader | undefined> => {
    const [found] = await catalog.webhooksToDeliver([id]);
    return found?.readers.find((reader) => reader.kind === kind);
  };
  const liveOf = async (id: string) => (await readerOf(id)) as WebhookReader;
  const save = (...progress: DeliveryProgress[]) => catalog.write({ type: "saveDeliveries", progress });
  const cursorOf = async (id: string) => (await catalog.cursors()).find(({ name }) => name === webhookCursor(id))?.seq;

  describe("a webhook", () => {
    test("begins at the end of the log, with an event that has no secret", async () => {
      await createAlbums(2);
      const webhook = await create({ types: ["imagestore.image.created"], albums: { names: ["c-*"] } });
      const { epoch } = await catalog.log();
      expect(webhook).toMatchObject({
        url: URL,
        types: ["imagestore.image.created"],
        albums: { names: ["c-*"] },
        description: null,
        paused: false,
        disabled: null,
        revision: 1,
        createdBy: BY.actor,
        formerSecretsUntil: null,
        delivery: { position: { epoch, seq: 2 }, blockedAlbums: 0, failingSince: null, retryAt: null, replay: null },
      });
      expect(await cursorOf(webhook.id)).toBe(2);
      const [event, ...others] = await webhookEvents();
      expect(others).toEqual([]);
      expect(event).toMatchObject({ type: "imagestore.webhook.created", subject: `webhooks/${webhook.id}` });
      const { delivery: _delivery, formerSecretsUntil: _until, ...record } = webhook;
      expect(JSON.parse(event?.data ?? "")).toEqual({ ...record, reason: "user", actor: BY.actor });
      expect(JSON.stringify([webhook, event])).not.toContain("whsec_");
    });

    test("begins at a position that is kept, and at no other", async () => {
      await createAlbums(3);
      const { epoch } = await catalog.log();
      const webhook = await create({ from: { epoch, seq: 1 } });
      expect(webhook.delivery.position).toEqual({ epoch, seq: 1 });
      expect(webhook.delivery.lagEvents).toBeGreaterThanOrEqual(2);
      await expectCode(create({ from: { epoch: epoch + 1, seq: 1 } }), "cursor_unknown");
      await expectCode(create({ from: { epoch, seq: 99 } }), "cursor_unknown");
      await catalog.write({ type: "pruneEvents", retention: null, maxBytes: 0, limit: 2 });
      await expectCode(create({ from: { epoch, seq: 1 } }), "cursor_expired");
    });

    test("is made once under an idempotency key", async () => {
      const idempotency = { scope: "s", key: "k", fingerprint: "f" };
      const first = await catalog.write(newWebhook({ idempotency }));
      const again = await catalog.write(newWebhook({ idempotency }));
      expect([first.replayed, again.replayed]).toEqual([false, true]);
      expect(again.value).toEqual(first.value);
      expect((await catalog.webhooks({ limit: 9 })).items).toHaveLength(1);
    });

    test("is refused to a key that was revoked meanwhile, and outlives the key that made it", async () => {
      await createKey(catalog, "maker");
      const by: Requester = { ...BY, actor: { kind: "key", id: "maker", name: "maker" } };
      const webhook = await create({ by });
      await catalog.write({ type: "revokeKey", id: "maker", recursive: true });
      await expectCode(create({ by }), "unauthorized");
      expect(await catalog.webhook(webhook.id)).toMatchObject({ id: webhook.id, createdBy: by.actor });
      expect(await catalog.webhooksToDeliver()).toHaveLength(1);
    });

    test("is changed by a patch, with an event for each change and none for the same again", async () => {
      const { id } = await create();
      const url = "https://example.com/other";
      const types = ["imagestore.image.deleted"] as const;
      const changed = await patch(id, { url, types, albums: { ids: ["a"] }, description: "for the CDN" });
      expect(changed).toMatchObject({ url, types, albums: { ids: ["a"] }, description: "for the CDN", revision: 2 });
      expect(await patch(id, { url, types })).toMatchObject({ revision: 2 });
      expect(await patch(id, { types: null, albums: "*", description: null })).toMatchObject({
        types: null,
        albums: "*",
        description: null,
        revision: 3,
      });
      expect((await webhookEvents()).map(({ type }) => type)).toEqual([
        "imagestore.webhook.created",
        "imagestore.webhook.updated",
        "imagestore.webhook.updated",
      ]);
      const stale = { ifMatch: [{ id, revision: 2 }] };
      await expectCode(
        catalog.write({ type: "updateWebhook", id, patch: { paused: true }, preconditions: stale }),
        "precondition_failed",
      );
      await expectCode(patch("none", { paused: true }), "webhook_not_found");
    });

    test("is not delivered while it is paused, nor once it is deleted", async () => {
      const [one, two] = [await create(), await create()];
      expect((await catalog.webhooksToDeliver()).map(({ webhook }) => webhook.id)).toEqual([one.id, two.id]);
      await patch(one.id, { paused: true });
      expect((await catalog.webhooksToDeliver()).map(({ webhook }) => webhook.id)).toEqual([two.id]);
      expect(await catalog.webhooksToDeliver([one.id])).toEqual([]);
      await patch(one.id, { paused: false });
      expect(await catalog.webhooksToDeliver([one.id])).toHaveLength(1);
      await expectCode(
        catalog.write({ type: "deleteWebhook", id: one.id, preconditions: { ifMatch: [{ id: one.id, revision: 1 }] } }),
        "precondition_failed",
      );
      await save(progressOf(await liveOf(one.id), { attempts: [attemptOf(1)], blocked: [blockedAt("a", 1)] }));
      await catalog.write({ type: "deleteWebhook", id: one.id, by: BY });
      expect(await catalog.webhook(one.id)).toBeUndefined();
      expect(await cursorOf(one.id)).toBeUndefined();
      expect((await catalog.webhookDeliveries({ webhookId: one.id, limit: 9 })).items).toEqual([]);
      await expectCode(catalog.write({ type: "deleteWebhook", id: one.id }), "webhook_not_found");
      expect((await webhookEvents()).at(-1)).toMatchObject({
        type: "imagestore.webhook.deleted",
        subject: `webhooks/${one.id}`,
      });
    });

    test("is listed by the time when it was made, in pages", async () => {
      const ids: string[] = [];
      for (let index = 0; index < 5; index++) ids.push((await create()).id);
      const first = await catalog.webhooks({ limit: 3 });
      expect(first.items.map(({ id }) => id)).toEqual(ids.slice(0, 3));
      if (first.next === undefined) throw new Error("There is no second page.");
      const second = await catalog.webhooks({ limit: 3, start: first.next });
      expect(second.items.map(({ id }) => id)).toEqual(ids.slice(3));
      expect(second).toMatchObject({ next: undefined, watermark: first.watermark });
    });

    test(`is refused above ${MAX_WEBHOOKS} of them`, async () => {
      for (let start = 0; start < MAX_WEBHOOKS; start += 100)
        await Promise.all(Array.from({ length: 100 }, () => create()));
      await expectCode(create(), "too_many_webhooks");
      const [first] = (await catalog.webhooks({ limit: 1 })).items;
      await catalog.write({ type: "deleteWebhook", id: first?.id ?? "" });
      await create();
    });

    test("signs with the former secrets too for a while after a rotation", async () => {
      const { id } = await create();
      const secrets = async () => (await catalog.webhooksToDeliver([id]))[0]?.secrets ?? [];
      const rotate = (secret: string, overlap: number) =>
        catalog.write({ type: "rotateWebhookSecret", id, secret, overlap, by: BY });
      expect(await secrets()).toEqual([{ secret: SECRET, until: null }]);
      const rotated = await rotate("whsec_two", 60_000);
      expect(rotated.revision).toBe(2);
      const [present, former] = await secrets();
      expect(present).toEqual({ secret: "whsec_two", until: null });
      expect(former).toMatchObject({ secret: SECRET, until: Date.parse(rotated.formerSecretsUntil ?? "") });
      await rotate("whsec_three", 120_000);
      expect((await secrets()).map(({ secret }) => secret)).toEqual(["whsec_three", "whsec_two", SECRET]);
      await rotate("whsec_four", -1);
      expect((await secrets()).map(({ secret }) => secret)).toEqual(["whsec_four", "whsec_two", SECRET]);
      for (let index = 0; index < 9; index++) await rotate(`whsec_${index}`, 60_000);
      expect(await secrets()).toHaveLength(5);
      expect(JSON.stringify([await webhookEvents(), await catalog.webhook(id)])).not.toContain("whsec_");
    });
  });

  describe("the deliveries of a webhook", () => {
    test("are saved with position, blocked albums and attempts, and hold the cursor back", async () => {
      const { id } = await create();
      await createAlbums(6);
      const seq = (await catalog.log()).lastSequence;
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
      const status = await catalog.webhook(id);
      expect(status?.delivery).toMatchObject({
        position: { seq },
        lagEvents: 0,
        blockedAlbums: 1,
        failingSince: new Date(4000).toISOString(),
        retryAt: new Date(6000).toISOString(),
      });
      const page = await catalog.webhookDeliveries({ webhookId: id, limit: 9 });
      expect(page.items).toEqual(attempts.toReversed());

      const settled = { position: seq, failures: 0, failingSince: null, retryAt: null, unblocked: ["a"] };
      await save(progressOf(reader, settled));
      expect(await readerOf(id)).toEqual({ ...reader, position: seq });
      expect(await cursorOf(id)).toBe(seq);
    });

    test("of several webhooks are saved by one change, and a deleted one is told", async () => {
      const ids = [(await create()).id, (await create()).id, (await create()).id] as const;
      await createAlbums(3);
      const seq = (await catalog.log()).lastSequence;
      const readers = await Promise.all(ids.map(liveOf));
      await catalog.write({ type: "deleteWebhook", id: ids[1] });
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
      let page = await catalog.webhookDeliveries({ webhookId: id, limit: 700 });
      found.push(...page.items.map((one) => one.id));
      while (page.next !== undefined) {
        page = await catalog.webhookDeliveries({ webhookId: id, limit: 700, start: page.next });
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
        catalog.write({ type: "acquireLease", name: "webhooks", holder, milliseconds });
      const { token } = await lease("one", -1);
      await lease("two", 60_000);
      const fence = { lease: "webhooks", token: token ?? 0 };
      const progress = [progressOf(await liveOf(id), { attempts: [attemptOf(1)] })];
      await expectCode(catalog.write({ type: "saveDeliveries", progress, fence }), "lease_lost");
      expect((await catalog.webhookDeliveries({ webhookId: id, limit: 9 })).items).toEqual([]);
    });

    test("disable no webhook for a replay that fails while its other deliveries arrive", async () => {
      const { id } = await create();
      await createAlbums(4);
      await replay(id, 0, 2);
      const [live, again] = [await liveOf(id), (await readerOf(id, "replay")) as WebhookReader];
      await save(progressOf(live, { attempts: [attemptOf(1, { startedAt: Date.now() })] }));
      const failing = progressOf(again, { failures: 40, blocked: [blockedAt("a", 1)], disable: "failing" });
      expect(await save(failing)).toEqual({ stale: [{ webhookId: id, kind: "replay" }], disabled: [] });
      expect(await catalog.webhook(id)).toMatchObject({ disabled: null });
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
      const disabled = await catalog.webhook(id);
      expect(disabled).toMatchObject({ disabled: { reason: "failing" }, revision: 2 });
      expect(await catalog.webhooksToDeliver()).toEqual([]);
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
      expect(await catalog.webhook(id)).toMatchObject({ disabled: null });
      expect((await liveOf(id)).position).toBe(reader.position);
      // They were made all the same.
      expect((await catalog.webhookDeliveries({ webhookId: id, limit: 9 })).items).toHaveLength(1);
    });
  });

  describe("a replay", () => {
    test("without an end moves the deliveries back, which a worker that saves late does not undo", async () => {
      const { id } = await create();
      await createAlbums(6);
      const end = (await catalog.log()).lastSequence;
      const before = await liveOf(id);
      const blocked = [blockedAt("far", 2), blockedAt("near", end - 1)];
      await save(progressOf(before, { position: end, blocked }));
      expect(await replay(id, 3, null)).toMatchObject({ from: 3, to: end });
      expect(await save(progressOf(before, { position: end }))).toMatchObject({ stale: [{ webhookId: id }] });
      const after = await liveOf(id);
      expect(after.position).toBe(3);
      expect(after.blocked).toEqual([blockedAt("far", 2)]);
      expect(await cursorOf(id)).toBe(1);
      await loggedState(catalog);
      const event = (await webhookEvents()).at(-1);
      expect(event?.type).toBe("imagestore.webhook.replayed");
      const { epoch } = await catalog.log();
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
      const end = (await catalog.log()).lastSequence;
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
      const end = (await catalog.log()).lastSequence;
      const live = await liveOf(id);
      await save(progressOf(live, { position: end }));
      expect(await replay(id, 1, 4)).toMatchObject({ from: 1, to: 4 });
      await expectCode(replay(id, 2, 4), "webhook_replaying");
      const reader = (await readerOf(id, "replay")) as WebhookReader;
      expect(reader).toMatchObject({ position: 1, until: 4, blocked: [] });
      expect(await liveOf(id)).toMatchObject({ position: end, generation: live.generation });
      expect(await cursorOf(id)).toBe(1);
      expect((await catalog.webhook(id))?.delivery.replay).toMatchObject({ position: { seq: 1 }, until: { seq: 4 } });

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
      const { epoch, lastSequence } = await loggedState(catalog);
      await save(progressOf(await liveOf(id), { position: lastSequence }));
      const { events } = await catalog.events({ visibility: "all", audit: true, limit: 100 });
      const before = (time: number) => (events.find((event) => event.time >= time)?.seq ?? 0) - 1;
      const begin = (from: LogPoint, to: LogPoint | null) =>
        catalog.write({ type: "replayWebhook", id, from, to, by: BY });
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
      const { epoch } = await catalog.log();
      await replay(id, 3, 3);
      expect(await readerOf(id, "replay")).toBeUndefined();
      await expectCode(replay("none", 1, 2), "webhook_not_found");
      const from = { epoch: epoch + 1, seq: 1 };
      await expectCode(catalog.write({ type: "replayWebhook", id, from, to: null }), "cursor_unknown");
      const { lastSequence } = await loggedState(catalog);
      await save(progressOf(await liveOf(id), { position: lastSequence }));
      await catalog.write({ type: "pruneEvents", retention: -60_000, maxBytes: null, limit: 3 });
      await expectCode(replay(id, 1, null), "cursor_expired");
    });
  });

  describe("the log", () => {
    test("keeps what a webhook has not delivered, until it is over its limit; then the webhook goes on behind it", async () => {
      const { id } = await create();
      await createAlbums(6);
      const end = (await catalog.log()).lastSequence;
      const reader = await liveOf(id);
      await save(progressOf(reader, { position: end - 1, blocked: [blockedAt("a", 2), blockedAt("b", end - 1)] }));
      await replay(id, 1, 3);
      const kept = await catalog.write({ type: "pruneEvents", retention: -60_000, maxBytes: null, limit: 1000 });
      expect(kept).toMatchObject({ pruned: 1, droppedCursors: [] });

      const dropped = await catalog.write({ type: "pruneEvents", retention: null, maxBytes: 0, limit: 3 });
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
      expect((await catalog.webhook(id))?.delivery.lostEventsAt).not.toBeNull();
      expect(await save(progressOf(reader, { position: end }))).toMatchObject({ stale: [{ webhookId: id }] });
    });

    test("lets no client delete or rewind the cursor of a webhook", async () => {
      const { id } = await create();
      await expectCode(catalog.write({ type: "deleteCursor", name: webhookCursor(id) }), "cursor_of_webhook");
      const rewind = { type: "rewindCursor", name: webhookCursor(id), to: { time: 0 }, by: BY } as const;
      await expectCode(catalog.write(rewind), "cursor_of_webhook");
      await expectCode(catalog.write({ type: "deleteCursor", name: webhookCursor("none") }), "cursor_not_found");
    });
  });
}
