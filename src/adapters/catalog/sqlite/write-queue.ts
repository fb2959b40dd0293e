import type { Change, ChangeResult, ChangeResults } from "../../../domain/change.ts";
import { deserializeError, StoreError } from "../../../domain/errors.ts";
import type { BatchResult, Writer } from "./writer.ts";

const DEFAULT_MAX_WAITING = 4096;
/** Limits how long a batch delays the changes behind it. A change of many operations counts as so many. */
const MAX_BATCH = 512;

export interface BatchReport {
  readonly batchSize: number;
  /** Time from taking the batch out of the queue until it is durable. */
  readonly seconds: number;
}

export interface WriteQueueOptions {
  readonly maxWaiting?: number | undefined;
  readonly observe?: ((batch: BatchReport) => void) | undefined;
  readonly onAppended: () => void;
  /** Called once when the queue has stopped; every waiting change fails with `unavailable`. */
  readonly onFatal: (error: Error) => void;
}

export interface WriteQueue {
  readonly write: <C extends Change>(change: C) => Promise<ChangeResult<C>>;
  /** Refuses new changes; resolves when every waiting change is settled. */
  readonly drain: () => Promise<void>;
}

interface QueuedChange {
  readonly change: Change;
  readonly resolve: (value: ChangeResults[Change["type"]]) => void;
  readonly reject: (error: StoreError) => void;
}

/** Collects the next batch while one is written. */
export function createWriteQueue(writer: Writer, options: WriteQueueOptions): WriteQueue {
  const { maxWaiting = DEFAULT_MAX_WAITING, observe, onAppended, onFatal } = options;
  let waiting: QueuedChange[] = [];
  let running: Promise<void> | undefined;
  /** Why new changes are refused. */
  let stopped: StoreError | undefined;
  /** Failed or drained: a later failure of the writer is ignored. */
  let ended = false;

  const write = <C extends Change>(change: C): Promise<ChangeResult<C>> => {
    if (stopped !== undefined) return Promise.reject(stopped);
    if (waiting.length >= maxWaiting)
      return Promise.reject(new StoreError("busy", "Too many writes are waiting. Try again."));
    return new Promise<ChangeResults[Change["type"]]>((resolve, reject) => {
      waiting.push({ change, resolve, reject });
      running ??= runAll();
    }) as Promise<ChangeResult<C>>;
  };

  const runAll = async () => {
    // Changes that arrive together share a batch; the first would otherwise have a sync of its own.
    await new Promise((resolve) => setImmediate(resolve));
    while (waiting.length > 0) {
      const size = sizeOfBatch(waiting);
      const batch = waiting.slice(0, size);
      waiting = waiting.slice(size);
      await runBatch(batch);
    }
    running = undefined;
  };

  const runBatch = async (batch: readonly QueuedChange[]) => {
    const started = performance.now();
    let result: BatchResult;
    try {
      result = await writer.run(batch.map(({ change }) => change));
    } catch (error) {
      for (const { reject } of batch) reject(unavailable(error));
      fail(error as Error);
      return;
    }
    observe?.({ batchSize: batch.length, seconds: (performance.now() - started) / 1000 });
    for (const [index, { resolve, reject }] of batch.entries()) {
      const outcome = result.outcomes[index];
      if (outcome !== undefined && "value" in outcome) resolve(outcome.value);
      else reject(outcome === undefined ? unavailable(undefined) : deserializeError(outcome.error));
    }
    if (result.appended) onAppended();
    if (result.fatal !== undefined) fail(deserializeError(result.fatal));
  };

  const fail = (error: Error) => {
    if (ended) return;
    ended = true;
    // Also while draining: after a failed commit nothing more is written.
    stopped = unavailable(error);
    for (const { reject } of waiting) reject(stopped);
    waiting = [];
    onFatal(error);
  };

  const drain = async () => {
    stopped ??= new StoreError("unavailable", "The store is stopping.");
    await running;
    ended = true;
  };

  void writer.death.then(fail);
  return { write, drain };
}

/** At least one. */
function sizeOfBatch(waiting: readonly QueuedChange[]): number {
  let weight = 0;
  const past = waiting.findIndex(({ change }) => {
    weight += change.type === "runBatch" ? change.operations.length : 1;
    return weight > MAX_BATCH;
  });
  return past === -1 ? waiting.length : Math.max(past, 1);
}

const unavailable = (cause: unknown) => new StoreError("unavailable", "The catalog does not respond.", { cause });
