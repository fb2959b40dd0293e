import { setTimeout as sleep } from "node:timers/promises";
import { type Entry, isInDoubt, type Ledger, type Outcome } from "./ledger.ts";
import { pick } from "./random.ts";
import { createRequests, type Requests } from "./requests.ts";

const ALBUMS_PER_CLIENT = 3;
const IMAGES_PER_ALBUM = 12;

export interface Load {
  /** Resolves after so many more acknowledged changes, or when no client is left, or an answer was wrong. */
  acknowledged(changes: number): Promise<void>;
  /** Ends once each client has its last answer. */
  stop(): Promise<void>;
}

export interface LoadOptions {
  readonly clients: number;
  readonly maxImageBytes?: number;
  /**
   * For a store of several nodes: clients that had no answer, or a 503, ask again where an Idempotency-Key makes that
   * safe, and go on; else they leave that album in doubt, and go on with others.
   */
  readonly goOn?: boolean;
}

/**
 * Clients with one request in flight each, on albums of their own, until stopped or left without an answer.
 * @param at answers the node for the next request
 */
export function startLoad(at: string | (() => string), ledger: Ledger, options: LoadOptions): Load {
  const stopping = new AbortController();
  const requests = createRequests(at, ledger, { maxImageBytes: options.maxImageBytes ?? 200_000 });
  const run = `${Date.now().toString(36)}${Math.random().toString(36).slice(2, 6)}`;
  const clients = Array.from({ length: options.clients }, (_, index) =>
    runClient(requests, ledger, `${run}-${index}`, options.goOn === true, stopping.signal),
  );
  const allEnded = Promise.all(clients);
  const tail = tailEvents(at, ledger, stopping.signal);
  return {
    async acknowledged(changes) {
      const goal = ledger.counts.acknowledged + changes;
      const reached = async () => {
        while (ledger.counts.acknowledged < goal && !stopping.signal.aborted && ledger.problems.length === 0)
          await sleep(5);
      };
      await Promise.race([reached(), allEnded]);
    },
    async stop() {
      stopping.abort();
      await Promise.all([allEnded, tail]);
    },
  };
}

async function runClient(
  requests: Requests,
  ledger: Ledger,
  name: string,
  goesOn: boolean,
  stopping: AbortSignal,
): Promise<void> {
  const mine: Entry[] = [];
  while (!stopping.aborted) {
    const usable = mine.filter((entry) => !isInDoubt(entry) && entry.certain !== null);
    let entry: Entry;
    let outcome: Outcome | undefined;
    if (usable.length < ALBUMS_PER_CLIENT) {
      entry = ledger.open(`${name}-${mine.length}`);
      mine.push(entry);
      outcome = await requests.createAlbum(entry);
    } else {
      entry = pick(usable);
      outcome = await changeSomething(requests, entry);
    }
    if (goesOn) outcome = await retryUntilDone(ledger, entry, outcome, stopping);
    if (outcome === "unanswered") return;
    if (outcome !== "acknowledged") await sleep(20);
  }
}

/** Answers undefined for what may not be repeated. */
async function retryUntilDone(ledger: Ledger, entry: Entry, first: Outcome, stopping: AbortSignal) {
  let outcome: Outcome | undefined = first;
  while (!stopping.aborted && outcome !== undefined && outcome !== "acknowledged" && ledger.problems.length === 0) {
    await sleep(100);
    outcome = await ledger.retry(entry);
  }
  return outcome;
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
async function tailEvents(at: string | (() => string), ledger: Ledger, stopping: AbortSignal): Promise<void> {
  let after = "latest";
  while (!stopping.aborted) {
    try {
      const url = typeof at === "string" ? at : at();
      const response = await fetch(`${url}/v1/events?after=${after}&limit=1000&wait=5`, { signal: stopping });
      if (response.status >= 400 && response.status < 500)
        ledger.problems.push(`the log answered ${response.status}: ${await response.text()}`);
      if (!response.ok) throw new Error(`the log answered ${response.status}`);
      const page = (await response.json()) as { items: { id: string; sequence: string }[]; nextCursor: string };
      ledger.addEvents(page.items);
      after = page.nextCursor;
    } catch {
      await sleep(20);
    }
  }
}
