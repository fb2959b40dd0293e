/** An album and its images as a client can see them; null where there is none. */
export type AlbumState = {
  readonly name: string;
  /** Digest by image name. */
  readonly images: Readonly<Record<string, string>>;
} | null;

/**
 * What one client knows of one album that is its own. Its requests for an album go one after another, so at most one is
 * in doubt.
 */
export interface Entry {
  /** Every name that the album has had begins with this and a dot. */
  readonly slot: string;
  /** What the last 2xx, or the last verification, said. */
  certain: AlbumState;
  /** What is there instead, if the request in doubt was done: it was sent and had no answer, or a 5xx. */
  possible?: AlbumState;
  /** Sends the request in doubt again, where an Idempotency-Key makes that safe. */
  retry?: () => Promise<Response>;
}

/** Of a request: 2xx; 507, which promises that nothing was done; another 5xx, or an answer in doubt; none at all. */
export type Outcome = "acknowledged" | "refused" | "failed" | "unanswered";

/** What was promised to clients, and so what a restarted store must show. */
export interface Ledger {
  readonly entries: Map<string, Entry>;
  /** Ids by sequence of events that were read: they were committed, so they stay. */
  readonly events: Map<string, string>;
  /** Answers that no client could have had, such as a 404 for its own album. */
  readonly problems: string[];
  readonly counts: Record<Outcome, number>;
  /** Of the acknowledged, those that gave the first answer again: it had been done, and the answer was lost. */
  replayed: number;
  open(slot: string): Entry;
  /** Sends one request that turns the album into `next`, and books its outcome. */
  attempt(entry: Entry, next: AlbumState, send: () => Promise<Response>, retryable?: "retryable"): Promise<Outcome>;
  /** Repeats the request in doubt, if it may be repeated. */
  retry(entry: Entry): Promise<Outcome | undefined>;
  /** Repeats what is in doubt and may be repeated: now it must be acknowledged, and done once whatever came before. */
  retryInDoubt(): Promise<void>;
  /** What was read of the log. */
  addEvents(events: readonly { readonly sequence: string; readonly id: string }[]): void;
  /**
   * Power is about to go. A sync that is running as ext4 is shut down may report success though its transaction is gone
   * (strace shows it), so answers to what was begun before are in doubt from now on, and so is what can be read.
   */
  beginPowerCut(): void;
  /** The store is back, and was compared. */
  endPowerCut(): void;
}

export function createLedger(): Ledger {
  let powerCuts = 0;
  let isPowerCut = false;
  const ledger: Ledger = {
    entries: new Map(),
    events: new Map(),
    problems: [],
    counts: { acknowledged: 0, refused: 0, failed: 0, unanswered: 0 },
    replayed: 0,

    open(slot) {
      const entry: Entry = { slot, certain: null };
      ledger.entries.set(slot, entry);
      return entry;
    },

    async attempt(entry, next, send, retryable) {
      const begunAt = powerCuts;
      entry.possible = next;
      if (retryable) entry.retry = send;
      const answer = await outcomeOf(send, ledger);
      const outcome = answer === "acknowledged" && begunAt !== powerCuts ? "failed" : answer;
      ledger.counts[outcome]++;
      if (outcome === "acknowledged") entry.certain = next;
      if (outcome === "acknowledged" || outcome === "refused") leaveDoubt(entry);
      return outcome;
    },

    async retry(entry) {
      if (entry.possible === undefined || entry.retry === undefined) return undefined;
      return await ledger.attempt(entry, entry.possible, entry.retry, "retryable");
    },

    async retryInDoubt() {
      for (const entry of ledger.entries.values()) {
        const outcome = await ledger.retry(entry);
        if (outcome !== undefined && outcome !== "acknowledged")
          ledger.problems.push(`a retry for ${entry.slot} was ${outcome}`);
      }
    },

    addEvents(events) {
      if (isPowerCut) return;
      for (const { sequence, id } of events) ledger.events.set(sequence, id);
    },

    beginPowerCut() {
      powerCuts++;
      isPowerCut = true;
    },

    endPowerCut() {
      isPowerCut = false;
    },
  };
  return ledger;
}

export function leaveDoubt(entry: Entry): void {
  delete entry.possible;
  delete entry.retry;
}

export const isInDoubt = (entry: Entry): boolean => "possible" in entry;

export const sameState = (left: AlbumState, right: AlbumState): boolean => describeState(left) === describeState(right);

export function describeState(state: AlbumState): string {
  if (state === null) return "no album";
  return JSON.stringify([state.name, Object.entries(state.images).sort(([left], [right]) => (left < right ? -1 : 1))]);
}

async function outcomeOf(send: () => Promise<Response>, ledger: Ledger): Promise<Outcome> {
  let response: Response;
  try {
    response = await send();
  } catch {
    return "unanswered";
  }
  // The status is the promise, whatever becomes of the body.
  const body = await response.text().catch(String);
  if (response.headers.get("idempotent-replayed") === "true") ledger.replayed++;
  if (response.ok) return "acknowledged";
  if (response.status === 507) return "refused";
  if (response.status === 503) return "failed";
  ledger.problems.push(`unexpected answer ${response.status} for ${response.url}: ${body.slice(0, 300)}`);
  return "failed";
}
