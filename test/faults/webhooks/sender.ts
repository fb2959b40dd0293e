/** Delivers the webhooks of the catalog in CATALOG_URL as a node does, and prints a line whenever it takes the lease. Retries are quick. */

import { openPostgresCatalog } from "../../../src/adapters/catalog/postgres.ts";
import { createOutbound } from "../../../src/adapters/outbound/outbound.ts";
import { createWebhookSender } from "../../../src/adapters/outbound/webhook-sender.ts";
import { parseOwnHosts } from "../../../src/config/addresses.ts";
import { whileLeased } from "../../../src/workers/lease.ts";
import { runWebhooks } from "../../../src/workers/webhooks/run-webhooks.ts";

const rules = { http: true, ports: [[1, 65_535]] as const, allowed: parseOwnHosts("127.0.0.1") };
using sender = createWebhookSender({ outbound: createOutbound({ rules }), userAgent: "test" });
await using catalog = await openPostgresCatalog({ url: process.env["CATALOG_URL"] ?? "", poolSize: 4, as: "server" });
const lease = {
  catalog,
  name: "webhooks",
  holder: crypto.randomUUID(),
  observer: {
    waiting: () => {},
    taken: () => console.log("taken"),
    lost: () => console.log("lost"),
    released: () => {},
    failed: () => {},
  },
};
const retryDelay = (failures: number) => Math.min(500, 10 * 2 ** failures);
const { signal } = new AbortController();
await whileLeased(
  lease,
  (leased, until, isHeld) => runWebhooks({ catalog: leased, sender, isHeld, retryDelay, maxBackoff: 500 }, until),
  signal,
);
