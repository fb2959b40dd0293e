/** Sends one request to each URL of the command line, and prints what came of it. A process of its own, for its trust store. */
import { createOutbound } from "../../../src/adapters/outbound/outbound.ts";
import { parseOwnHosts } from "../../../src/config/addresses.ts";
import type { OutboundError } from "../../../src/domain/outbound.ts";

const rules = { http: true, ports: [[1, 65_535]] as const, allowed: parseOwnHosts("127.0.0.0/8") };
using outbound = createOutbound({ rules, resolveName: async () => ["127.0.0.1"] });
const { signal } = new AbortController();
const outcomes: (number | string)[] = [];
for (const url of process.argv.slice(2)) {
  const sent = outbound.post(url, { headers: {}, body: "{}", timeout: 30_000, signal });
  outcomes.push(
    await sent.then(({ status }) => status).catch((error: OutboundError) => `${error.code}: ${error.message}`),
  );
}
console.log(JSON.stringify(outcomes));
