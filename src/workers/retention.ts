import type { Catalog } from "../ports.ts";
import { every } from "./every.ts";

export interface RetentionPorts {
  readonly catalog: Pick<Catalog, "write">;
}

export interface RetentionOptions {
  /** How long events are kept, in milliseconds. */
  readonly eventsRetention: number | "forever";
  /** How large the log may grow; past it, durable cursors that stand in the way are given up. */
  readonly eventsMaxBytes: number | undefined;
  readonly onCursorsGivenUp: (names: readonly string[]) => void;
}

/** How long a request may be repeated under its Idempotency-Key. */
const IDEMPOTENCY_MS = 24 * 60 * 60 * 1000;
/** Each is one transaction, which requests wait for. */
const CHUNK = 1000;

/** Forgets what need not be remembered any longer, until the signal aborts. */
export function runRetention(
  ports: RetentionPorts,
  options: RetentionOptions & { interval?: number; onFailure: (error: unknown) => void },
  signal: AbortSignal,
): Promise<void> {
  const { interval = 60_000, onFailure } = options;
  return every(interval, signal, () => pruneOnce(ports, options, signal), onFailure);
}

export async function pruneOnce(ports: RetentionPorts, options: RetentionOptions, signal?: AbortSignal): Promise<void> {
  await pruneEvents(ports, options, signal);
  await pruneIdempotency(ports, signal);
}

async function pruneEvents(
  { catalog }: RetentionPorts,
  { eventsRetention, eventsMaxBytes, onCursorsGivenUp }: RetentionOptions,
  signal?: AbortSignal,
): Promise<void> {
  const retention = eventsRetention === "forever" ? null : eventsRetention;
  const change = { type: "pruneEvents", retention, maxBytes: eventsMaxBytes ?? null, limit: CHUNK } as const;
  if (change.retention === null && change.maxBytes === null) return;
  for (let more = true; more; ) {
    if (signal?.aborted === true) return;
    const pruned = await catalog.write(change);
    if (pruned.cursorsGivenUp.length > 0) onCursorsGivenUp(pruned.cursorsGivenUp);
    more = pruned.more;
  }
}

async function pruneIdempotency({ catalog }: RetentionPorts, signal?: AbortSignal): Promise<void> {
  for (let pruned = CHUNK; pruned === CHUNK; ) {
    if (signal?.aborted === true) return;
    ({ pruned } = await catalog.write({ type: "pruneIdempotency", retention: IDEMPOTENCY_MS, limit: CHUNK }));
  }
}
