import { StoreError } from "../../../src/domain/errors.ts";
import type { WebhookReader } from "../../../src/domain/webhook.ts";
import type { DeliveryProgress } from "../../../src/domain/webhook-changes.ts";
import type { WebhookSender } from "../../../src/ports/webhook-sender.ts";
import { jsonOf, nowhere, startStore } from "../harness.ts";
import { testKeys } from "../test-keys.ts";

export const { API_KEYS, bearer } = testKeys({
  boss: "read+write+delete+transform+share+events+admin",
  admin: "admin",
  follower: "events",
});
export const boss = bearer("boss");
export const URL = "https://hooks.example.com/images";
export const SECRET = `whsec_${Buffer.alloc(24, 7).toString("base64")}`;

export interface Webhook {
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
export interface Problem {
  readonly code: string;
  readonly detail: string;
  readonly errors?: readonly { readonly pointer?: string; readonly detail: string }[];
}

/** What happens while the name of a host is looked up. */
export const lookup = { whileSlow: async () => {} };
const sender: WebhookSender = {
  ...nowhere,
  async requireAllowed(url) {
    if (url.includes("slow")) await lookup.whileSlow();
    if (url.includes("intranet"))
      throw new StoreError("invalid_webhook_url", "The host intranet has a private address.");
  },
};
export const problemOf = async (response: Response): Promise<readonly [number, string]> => [
  response.status,
  (await jsonOf<Problem>(response)).code,
];

/** A store whose webhooks are delivered nowhere. */
export async function startWebhookStore() {
  const store = await startStore({ API_KEYS }, { webhookSender: sender });
  const deleteWebhooks = async () => {
    const { items } = await jsonOf<{ items: Webhook[] }>(await get("/v1/webhooks?pageSize=1000"));
    for (const { id } of items) await store.fetch(`/v1/webhooks/${id}`, { method: "DELETE", headers: boss });
  };

  const get = (path: string, headers: Record<string, string> = boss) => store.fetch(path, { headers });
  const create = (body: object = {}, headers: Record<string, string> = boss) =>
    store.send("POST", "/v1/webhooks", { url: URL, ...body }, headers);
  const created = async (body?: object) => jsonOf<Webhook>(await create(body));
  const patch = (id: string, body: object, headers: Record<string, string> = boss) =>
    store.send("PATCH", `/v1/webhooks/${id}`, body, { ...headers, "Content-Type": "application/merge-patch+json" });
  const act = (id: string, action: string, body: object = {}, headers = boss) =>
    store.send("POST", `/v1/webhooks/${id}/${action}`, body, headers);
  const auditEvents = async () =>
    (await jsonOf<{ items: { type: string; subject: string; data: object }[] }>(await get("/v1/events?limit=1000")))
      .items;

  const cursorNames = async () =>
    (await jsonOf<{ items: { name: string }[] }>(await get("/v1/cursors"))).items.map(({ name }) => name);

  /** Saves the progress of deliveries as the worker does. */
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

  return { store, get, deleteWebhooks, create, created, patch, act, auditEvents, cursorNames, save };
}
