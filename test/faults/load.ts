import { setTimeout as sleep } from "node:timers/promises";
import { type Entry, isInDoubt, type Ledger, type Outcome } from "./ledger.ts";
import { createRequests, type Requests } from "./requests.ts";

const ALBUMS_PER_CLIENT = 3;
const IMAGES_PER_ALBUM = 12;

export interface Load {
  /** Resolves after so many more acknowledged changes, or when no client is left. */
  acknowledged(changes: number): Promise<void>;
  /** Ends once each client has its last answer. */
  stop(): Promise<void>;
}

/** Clients with one request in flight each, on albums of their own, until stopped or left without an answer. */
export function startLoad(url: string, ledger: Ledger, options: { clients: number; maxImageBytes?: number }): Load {
  const stopping = new AbortController();
  const requests = createRequests(url, ledger, { maxImageBytes: options.maxImageBytes ?? 200_000 });
  const run = `${Date.now().toString(36)}${Math.random().toString(36).slice(2, 6)}`;
  const clients = Array.from({ length: options.clients }, (_, index) =>
    runClient(requests, ledger, `${run}-${index}`, stopping.signal),
  );
  const allEnded = Promise.all(clients);
  const tail = tailEvents(url, ledger, stopping.signal);
  return {
    async acknowledged(changes) {
      const goal = ledger.counts.acknowledged + changes;
      const reached = async () => {
        while (ledger.counts.acknowledged < goal && !stopping.signal.aborted) await sleep(5);
      };
      await Promise.race([reached(), allEnded]);
    },
    async stop() {
      stopping.abort();
      await Promise.all([allEnded, tail]);
    },
  };
}

async function runClient(requests: Requests, ledger: Ledger, name: string, stopping: AbortSignal): Promise<void> {
  const mine: Entry[] = [];
  while (!stopping.aborted) {
    const usable = mine.filter((entry) => !isInDoubt(entry) && entry.certain !== null);
    let outcome: Outcome;
    if (usable.length < ALBUMS_PER_CLIENT) {
      const entry = ledger.open(`${name}-${mine.length}`);
      mine.push(entry);
      outcome = await requests.createAlbum(entry);
    } else {
      outcome = await changeSomething(requests, pick(usable));
    }
    if (outcome === "unanswered") return;
    if (outcome !== "acknowledged") await sleep(20);
  }
}

async function changeSomething(requests: Requests, entry: Entry): Promise<Outcome> {
  const names = Object.keys(entry.certain?.images ?? {});
  const dice = Math.random();
  if (dice < 0.03) return await requests.deleteAlbum(entry);
  if (dice < 0.07) return await requests.renameAlbum(entry);
  if (names.length < IMAGES_PER_ALBUM) {
    if (dice < 0.15) return await requests.uploadThree(entry);
    if (dice < 0.5 || names.length === 0) return await requests.upload(entry);
  }
  if (dice < 0.7) return await requests.replaceImage(entry, pick(names));
  if (dice < 0.8) return await requests.renameImage(entry, pick(names));
  return await requests.deleteImage(entry, pick(names));
}

/** Reads the log as it grows: what a reader has seen may not be gone after a restart either. */
async function tailEvents(url: string, ledger: Ledger, stopping: AbortSignal): Promise<void> {
  let after = "latest";
  while (!stopping.aborted) {
    try {
      const response = await fetch(`${url}/v1/events?after=${after}&limit=1000&wait=5`, { signal: stopping });
      if (response.status >= 400 && response.status < 500)
        ledger.problems.push(`the log answered ${response.status}: ${await response.text()}`);
      if (!response.ok) return;
      const page = (await response.json()) as { items: { id: string; sequence: string }[]; nextCursor: string };
      ledger.addEvents(page.items);
      after = page.nextCursor;
    } catch {
      await sleep(20);
    }
  }
}

const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(Math.random() * items.length)] as Item;
