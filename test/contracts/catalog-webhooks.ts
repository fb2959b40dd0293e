import { describe, expect, test } from "bun:test";
import type { Requester } from "../../src/domain/requested.ts";
import { MAX_WEBHOOKS } from "../../src/domain/webhook.ts";
import { createKey, type OpenCatalog } from "../catalog-changes.ts";
import { expectCode } from "../errors.ts";
import { attemptOf, BY, blockedAt, progressOf, SECRET, URL, useWebhooks } from "../webhook-changes.ts";

export function webhookContract(open: OpenCatalog): void {
  const { catalog, newWebhook, create, patch, createAlbums, webhookEvents, liveOf, save, cursorOf } = useWebhooks(open);

  describe("a webhook", () => {
    test("begins at the end of the log, with an event that has no secret", async () => {
      await createAlbums(2);
      const webhook = await create({ types: ["imagestore.image.created"], albums: { names: ["c-*"] } });
      const { epoch } = await catalog().log();
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
      const { epoch } = await catalog().log();
      const webhook = await create({ from: { epoch, seq: 1 } });
      expect(webhook.delivery.position).toEqual({ epoch, seq: 1 });
      expect(webhook.delivery.lagEvents).toBeGreaterThanOrEqual(2);
      await expectCode(create({ from: { epoch: epoch + 1, seq: 1 } }), "cursor_unknown");
      await expectCode(create({ from: { epoch, seq: 99 } }), "cursor_unknown");
      await catalog().write({ type: "pruneEvents", retention: null, maxBytes: 0, limit: 2 });
      await expectCode(create({ from: { epoch, seq: 1 } }), "cursor_expired");
    });

    test("is made once under an idempotency key", async () => {
      const idempotency = { scope: "s", key: "k", fingerprint: "f" };
      const first = await catalog().write(newWebhook({ idempotency }));
      const again = await catalog().write(newWebhook({ idempotency }));
      expect([first.replayed, again.replayed]).toEqual([false, true]);
      expect(again.value).toEqual(first.value);
      expect((await catalog().webhooks({ limit: 9 })).items).toHaveLength(1);
    });

    test("is refused to a key that was revoked meanwhile, and outlives the key that made it", async () => {
      await createKey(catalog(), "maker");
      const by: Requester = { ...BY, actor: { kind: "key", id: "maker", name: "maker" } };
      const webhook = await create({ by });
      await catalog().write({ type: "revokeKey", id: "maker", recursive: true });
      await expectCode(create({ by }), "unauthorized");
      expect(await catalog().webhook(webhook.id)).toMatchObject({ id: webhook.id, createdBy: by.actor });
      expect(await catalog().webhooksToDeliver()).toHaveLength(1);
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
        catalog().write({ type: "updateWebhook", id, patch: { paused: true }, preconditions: stale }),
        "precondition_failed",
      );
      await expectCode(patch("none", { paused: true }), "webhook_not_found");
    });

    test("is not delivered while it is paused, nor once it is deleted", async () => {
      const [one, two] = [await create(), await create()];
      expect((await catalog().webhooksToDeliver()).map(({ webhook }) => webhook.id)).toEqual([one.id, two.id]);
      await patch(one.id, { paused: true });
      expect((await catalog().webhooksToDeliver()).map(({ webhook }) => webhook.id)).toEqual([two.id]);
      expect(await catalog().webhooksToDeliver([one.id])).toEqual([]);
      await patch(one.id, { paused: false });
      expect(await catalog().webhooksToDeliver([one.id])).toHaveLength(1);
      await expectCode(
        catalog().write({
          type: "deleteWebhook",
          id: one.id,
          preconditions: { ifMatch: [{ id: one.id, revision: 1 }] },
        }),
        "precondition_failed",
      );
      await save(progressOf(await liveOf(one.id), { attempts: [attemptOf(1)], blocked: [blockedAt("a", 1)] }));
      await catalog().write({ type: "deleteWebhook", id: one.id, by: BY });
      expect(await catalog().webhook(one.id)).toBeUndefined();
      expect(await cursorOf(one.id)).toBeUndefined();
      expect((await catalog().webhookDeliveries({ webhookId: one.id, limit: 9 })).items).toEqual([]);
      await expectCode(catalog().write({ type: "deleteWebhook", id: one.id }), "webhook_not_found");
      expect((await webhookEvents()).at(-1)).toMatchObject({
        type: "imagestore.webhook.deleted",
        subject: `webhooks/${one.id}`,
      });
    });

    test("is listed by the time when it was made, in pages", async () => {
      const ids: string[] = [];
      for (let index = 0; index < 5; index++) ids.push((await create()).id);
      const first = await catalog().webhooks({ limit: 3 });
      expect(first.items.map(({ id }) => id)).toEqual(ids.slice(0, 3));
      if (first.next === undefined) throw new Error("There is no second page.");
      const second = await catalog().webhooks({ limit: 3, start: first.next });
      expect(second.items.map(({ id }) => id)).toEqual(ids.slice(3));
      expect(second).toMatchObject({ next: undefined, watermark: first.watermark });
    });

    test(`is refused above ${MAX_WEBHOOKS} of them`, async () => {
      for (let start = 0; start < MAX_WEBHOOKS; start += 100)
        await Promise.all(Array.from({ length: 100 }, () => create()));
      await expectCode(create(), "too_many_webhooks");
      const [first] = (await catalog().webhooks({ limit: 1 })).items;
      await catalog().write({ type: "deleteWebhook", id: first?.id ?? "" });
      await create();
    });

    test("signs with the former secrets too for a while after a rotation", async () => {
      const { id } = await create();
      const secrets = async () => (await catalog().webhooksToDeliver([id]))[0]?.secrets ?? [];
      const rotate = (secret: string, overlap: number) =>
        catalog().write({ type: "rotateWebhookSecret", id, secret, overlap, by: BY });
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
      expect(JSON.stringify([await webhookEvents(), await catalog().webhook(id)])).not.toContain("whsec_");
    });
  });
}
