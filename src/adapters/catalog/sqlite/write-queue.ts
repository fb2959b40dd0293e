import type { Change, ChangeResult, ChangeResults } from "../../../domain/change.ts";
import { deserializeError, StoreError } from "../../../domain/errors.ts";
import type { BatchResult, Writer } from "./writer-port.ts";

const DEFAULT_MAX_WAITING = 4096;
/** A batch should not keep those who come after it waiting for long. */
const MAX_BATCH = 512;

export interface BatchReport {
  readonly batchSize: number;
  /** From the moment it left the queue until all of it was durable and answered. */
  readonly seconds: number;
}

export interface WriteQueueOptions {
  readonly maxWaiting?: number | undefined;
  readonly observe?: ((batch: BatchReport) => void) | undefined;
  readonly onAppended: () => void;
  /** The queue has stopped; whoever waited was answered `unavailable`. Called once. */
  readonly onFatal: (error: Error) => void;
}

export interface WriteQueue {
  readonly write: <C extends Change>(change: C) => Promise<ChangeResult<C>>;
  /** Takes nothing new; resolves when all that waits was answered. */
  readonly drain: () => Promise<void>;
}

interface Waiting {
  readonly change: Change;
  readonly resolve: (value: ChangeResults[Change["type"]]) => void;
  readonly reject: (error: StoreError) => void;
}

/** While one batch is being written, the next one gathers here. */
export function createWriteQueue(writer: Writer, options: WriteQueueOptions): WriteQueue {
  const { maxWaiting = DEFAULT_MAX_WAITING, observe, onAppended, onFatal } = options;
  let waiting: Waiting[] = [];
  let running: Promise<void> | undefined;
  /** Why nothing new is taken. */
  let stopped: StoreError | undefined;
  /** Failed, or drained: what becomes of the writer is nobody's concern any more. */
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
    // Those that arrived together go together: the first would otherwise have a sync for itself.
    await new Promise((resolve) => setImmediate(resolve));
    while (waiting.length > 0) {
      const batch = waiting.slice(0, MAX_BATCH);
      waiting = waiting.slice(MAX_BATCH);
      await runBatch(batch);
    }
    running = undefined;
  };

  const runBatch = async (batch: readonly Waiting[]) => {
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
    // Also while it drains: after a failed commit nothing more is written.
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

const unavailable = (cause: unknown) => new StoreError("unavailable", "The catalog does not answer.", { cause });
