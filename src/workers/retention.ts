import { every } from "../concurrency/clock.ts";
import { TICKET_KEPT_MS } from "../domain/ticket.ts";
import type { Catalog } from "../ports.ts";

export interface RetentionDeps {
  readonly catalog: Pick<Catalog, "write">;
}

export interface RetentionOptions {
  /** Milliseconds for which events are kept. */
  readonly eventsRetention: number | "forever";
  /** Limit of the log. Above it, lagging durable cursors are dropped. */
  readonly eventsMaxBytes: number | undefined;
  readonly onCursorsGivenUp: (names: readonly string[]) => void;
}

/** Time for which a request may be repeated under its Idempotency-Key. */
const IDEMPOTENCY_MS = 24 * 60 * 60 * 1000;
/** Rows of one transaction; requests wait for each. */
const CHUNK = 1000;

/** Removes expired events, idempotency records, upload tickets and sessions, until the signal aborts. */
export function runRetention(
  deps: RetentionDeps,
  options: RetentionOptions & { interval?: number; onFailure: (error: unknown) => void },
  signal: AbortSignal,
): Promise<void> {
  const { interval = 60_000, onFailure } = options;
  return every(interval, signal, () => pruneOnce(deps, options, signal), onFailure);
}

export async function pruneOnce(deps: RetentionDeps, options: RetentionOptions, signal?: AbortSignal): Promise<void> {
  await pruneEvents(deps, options, signal);
  await pruneIdempotency(deps, signal);
  await pruneTickets(deps, signal);
  await pruneSessions(deps, signal);
}

async function pruneEvents(
  { catalog }: RetentionDeps,
  { eventsRetention, eventsMaxBytes, onCursorsGivenUp }: RetentionOptions,
  signal?: AbortSignal,
): Promise<void> {
  const retention = eventsRetention === "forever" ? null : eventsRetention;
  const change = { type: "pruneEvents", retention, maxBytes: eventsMaxBytes ?? null, limit: CHUNK } as const;
  if (change.retention === null && change.maxBytes === null) return;
  for (let more = true; more; ) {
    if (signal?.aborted === true) return;
    const pruned = await catalog.write(change);
    if (pruned.droppedCursors.length > 0) onCursorsGivenUp(pruned.droppedCursors);
    more = pruned.more;
  }
}

async function pruneIdempotency({ catalog }: RetentionDeps, signal?: AbortSignal): Promise<void> {
  for (let pruned = CHUNK; pruned === CHUNK; ) {
    if (signal?.aborted === true) return;
    ({ pruned } = await catalog.write({ type: "pruneIdempotency", retention: IDEMPOTENCY_MS, limit: CHUNK }));
  }
}

async function pruneTickets({ catalog }: RetentionDeps, signal?: AbortSignal): Promise<void> {
  for (let pruned = CHUNK; pruned === CHUNK; ) {
    if (signal?.aborted === true) return;
    ({ pruned } = await catalog.write({ type: "pruneTickets", retention: TICKET_KEPT_MS, limit: CHUNK }));
  }
}

async function pruneSessions({ catalog }: RetentionDeps, signal?: AbortSignal): Promise<void> {
  for (let pruned = CHUNK; pruned === CHUNK; ) {
    if (signal?.aborted === true) return;
    ({ pruned } = await catalog.write({ type: "pruneSessions", limit: CHUNK }));
  }
}
