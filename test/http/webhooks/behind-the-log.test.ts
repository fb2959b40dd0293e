import { expect, test } from "bun:test";
import type { OutboundDelivery, WebhookSender } from "../../../src/ports/webhook-sender.ts";
import { until } from "../../waiting.ts";
import { jsonOf, nowhere, startStore, type TestStore } from "../harness.ts";

interface Webhook {
  readonly id: string;
  readonly paused: boolean;
  readonly disabled: { readonly reason: string } | null;
  readonly delivery: {
    readonly cursor: string;
    readonly lagEvents: number;
    readonly blockedAlbums: number;
    readonly lostEventsAt: string | null;
  };
}

const webhookOf = async (store: TestStore, id: string) => jsonOf<Webhook>(await store.fetch(`/v1/webhooks/${id}`));
const patch = async (store: TestStore, id: string, body: object) =>
  jsonOf<Webhook>(
    await store.send("PATCH", `/v1/webhooks/${id}`, body, { "Content-Type": "application/merge-patch+json" }),
  );
const createAlbum = (store: TestStore, name: string) => store.send("POST", "/v1/albums", { name });

/** A receiver that answers with `status` and notes what it accepted. */
function createReceiver() {
  const receiver = {
    status: 204,
    accepted: [] as string[],
    async send({ event }: OutboundDelivery) {
      const delivered = receiver.status === 204;
      if (delivered) receiver.accepted.push((JSON.parse(event.data) as { name: string }).name);
      const error = delivered ? null : { code: "status", detail: `It answered ${receiver.status}.` };
      return { delivered, milliseconds: 1, status: receiver.status, error, response: "", retryAfter: null };
    },
  };
  const sender: WebhookSender = { ...nowhere, send: (delivery) => receiver.send(delivery) };
  return { receiver, sender };
}

/** As retention does once the log is over its limit. */
async function dropOldest(store: TestStore, { keep }: { keep: number }): Promise<void> {
  const catalog = await store.openCatalog();
  try {
    const { prunedThrough, lastSequence } = await catalog.log();
    const limit = lastSequence - prunedThrough - keep;
    await catalog.write({ type: "pruneEvents", retention: null, maxBytes: 0, limit });
  } finally {
    await catalog[Symbol.asyncDispose]();
  }
}

const READERS = {
  disabled: {
    stop: async (store: TestStore, id: string) => {
      await createAlbum(store, "refused");
      await until(async () => (await webhookOf(store, id)).disabled?.reason === "gone");
    },
    goOn: { disabled: null },
  },
  paused: {
    stop: async (store: TestStore, id: string) => {
      await patch(store, id, { paused: true });
      await createAlbum(store, "refused");
    },
    goOn: { paused: false },
  },
} as const;

test.each(Object.entries(READERS))(
  "a webhook that was %s while the log dropped its events says when, and goes on with the oldest that is kept",
  async (_name, { stop, goOn }) => {
    const { receiver, sender } = createReceiver();
    await using store = await startStore({}, { webhookSender: sender, webhookTimes: { saveInterval: 10 } });
    const { id } = await jsonOf<Webhook>(await store.send("POST", "/v1/webhooks", { url: "https://example.com/" }));
    await createAlbum(store, "delivered");
    await until(() => receiver.accepted.length === 1);
    await until(async () => (await webhookOf(store, id)).delivery.lagEvents === 0);
    receiver.status = 410;
    await stop(store, id);
    for (const name of ["lost", "kept 1", "kept 2"]) await createAlbum(store, name);
    // All have their numbers.
    await store.fetch("/v1/events");
    expect((await webhookOf(store, id)).delivery.lostEventsAt).toBeNull();

    await dropOldest(store, { keep: 2 });
    const { delivery } = await webhookOf(store, id);
    expect(delivery.lostEventsAt).not.toBeNull();
    expect(delivery.lagEvents).toBe(2);
    // It goes on where clients do that begin with the oldest event.
    const oldest = await jsonOf<{ items: { data: { name: string } }[] }>(
      await store.fetch(`/v1/events?after=${delivery.cursor}`),
    );
    expect(oldest.items.map(({ data }) => data.name)).toEqual(["kept 1", "kept 2"]);

    receiver.status = 204;
    expect((await patch(store, id, goOn)).delivery.lostEventsAt).toBe(delivery.lostEventsAt);
    await until(() => receiver.accepted.length === 3);
    expect(receiver.accepted.toSorted()).toEqual(["delivered", "kept 1", "kept 2"]);
    await until(async () => {
      const { lagEvents, blockedAlbums } = (await webhookOf(store, id)).delivery;
      return lagEvents === 0 && blockedAlbums === 0;
    });
    expect((await webhookOf(store, id)).delivery.lostEventsAt).toBe(delivery.lostEventsAt);
  },
);
