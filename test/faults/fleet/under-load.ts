import { setTimeout as sleep } from "node:timers/promises";
import { waitForRelay } from "../../services/relayed-log.ts";
import { PATIENCE_MS } from "../../waiting.ts";
import type { Ledger, Outcome } from "../ledger.ts";
import { startLoad } from "../load.ts";
import { createRequests } from "../requests.ts";
import { verify } from "../verify.ts";
import { awaitNumbers } from "./catalog-trouble.ts";
import type { Fleet } from "./fleet.ts";

const CLIENTS = 12;
const CHANGES = 60;

/**
 * Lets clients write at all nodes while `fault` runs and for a while after it; then each node must have found its way
 * back by itself, and the store must be what its clients were promised. Answers what is wrong.
 */
export async function strikeUnderLoad(fleet: Fleet, ledger: Ledger, fault: () => Promise<void>): Promise<string[]> {
  const load = startLoad(() => fleet.anyUrl(), ledger, { clients: CLIENTS, maxImageBytes: 50_000, goOn: true });
  try {
    await load.acknowledged(CHANGES);
    await fault();
    await awaitRecovery(fleet, ledger);
    await load.acknowledged(CHANGES);
  } finally {
    await load.stop();
  }
  await ledger.retryInDoubt();
  await awaitNumbers(fleet.catalogUrl);
  if (fleet.kafka !== undefined) await waitForRelay(fleet.nodes[0], fleet.topic);
  return await verify(fleet.anyUrl(), ledger, fleet.options);
}

/** Until each node has acknowledged an upload; then it must say, too, that it is ready. */
async function awaitRecovery(fleet: Fleet, ledger: Ledger): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  for (const node of fleet.nodes) {
    const { url } = node;
    const requests = createRequests(url, ledger, { maxImageBytes: 1000 });
    const entry = ledger.open(`recovery-${crypto.randomUUID()}`);
    const until = async (work: () => Promise<Outcome>): Promise<void> => {
      for (let outcome = await work(); outcome !== "acknowledged"; outcome = (await ledger.retry(entry)) ?? outcome) {
        if (Date.now() > deadline) throw new Error(`${url} did not come back:\n${node.output().slice(-4000)}`);
        await sleep(100);
      }
    };
    await until(() => requests.createAlbum(entry));
    await until(() => requests.upload(entry));
    let ready = await fetch(`${url}/readyz`);
    // It may still tell what was true a second ago.
    while (!ready.ok && Date.now() < deadline) {
      await sleep(100);
      ready = await fetch(`${url}/readyz`);
    }
    if (!ready.ok) ledger.problems.push(`${url} takes uploads and says that it is not ready: ${await ready.text()}`);
  }
}
