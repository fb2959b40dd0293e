import { createLimit } from "../concurrency/limit.ts";
import { type BatchOperation, type BatchOutcome, stateCaller } from "../domain/batch.ts";
import type { Caller } from "../domain/caller.ts";
import type { Idempotency, Replayable } from "../domain/change.ts";
import { StoreError } from "../domain/errors.ts";
import type { Asking } from "../domain/requests.ts";
import type { PublicOriginals } from "../domain/variant.ts";
import type { RunningKeys } from "./idempotency.ts";
import type { RequestCatalog } from "./request-catalog.ts";

export interface BatchDeps {
  readonly catalog: RequestCatalog;
  readonly runningKeys: RunningKeys;
  readonly batchSlots: BatchSlots;
  readonly publicOriginals: PublicOriginals;
}

/** Bounds the batches of this process: each holds its operations in memory, and then the catalog for a while. */
export interface BatchSlots {
  /**
   * A slot for a batch on its way, until it is disposed of.
   * @throws StoreError `busy` when all are taken
   */
  take(): Disposable;
  /** Runs the work when fewer than the limit run, in the order of the calls. */
  run<Result>(work: () => Promise<Result>): Promise<Result>;
}

const MAX_ON_THEIR_WAY = 16;
/**
 * A batch takes as long as hundreds of other changes. While one runs, the changes behind it are committed before the next one
 * begins.
 */
const RUNNING_AT_ONCE = 1;
/** In milliseconds. It holds its albums for so long at most. */
const MAX_TIME = 10_000;

export function createBatchSlots(): BatchSlots {
  let taken = 0;
  return {
    take() {
      if (taken >= MAX_ON_THEIR_WAY) throw new StoreError("busy", "Too many batches are waiting. Try again soon.");
      taken += 1;
      return {
        [Symbol.dispose]() {
          taken -= 1;
        },
      };
    },
    run: createLimit(RUNNING_AT_ONCE),
  };
}

/** Without what the store adds: ids of what it may create, and its settings. */
export type BatchWish<Operation = BatchOperation> = Operation extends { readonly type: "createAlbum" | "putAlbum" }
  ? Omit<Operation, "id">
  : Operation extends { readonly type: "moveImage" }
    ? Omit<Operation, "publicOriginals">
    : Operation;

/**
 * Runs the operations in one transaction of the catalog, each as its own request would. `atomic`: all of them or none.
 * @returns what became of each, in order, and the caller by whose rights they were judged
 * @throws StoreError `idempotency_key_reused`, `request_in_progress`, `busy`; if `atomic`, the error of the first operation that
 * fails, with its place as the member `operation`
 */
export async function runBatch(
  deps: BatchDeps,
  input: Pick<Asking, "traceparent"> & {
    /** Who the caller is once its turn comes. @throws StoreError `unauthorized` where it was revoked */
    readonly callerNow: () => Promise<Caller>;
    readonly operations: readonly BatchWish[];
    readonly atomic: boolean;
    readonly idempotency: Idempotency | undefined;
  },
): Promise<Replayable<readonly BatchOutcome[]> & { readonly caller: Caller }> {
  const { batchSlots, catalog, runningKeys } = deps;
  const { atomic, callerNow, idempotency, operations, traceparent } = input;
  using key = runningKeys.take(idempotency);
  return await batchSlots.run(async () => {
    // Batches may wait for minutes, and the rights of a caller may end meanwhile.
    const caller = await callerNow();
    const done = await catalog.write({
      type: "runBatch",
      caller: stateCaller(caller),
      atomic,
      operations: operations.map((wish) => toOperation(wish, deps)),
      maxMs: MAX_TIME,
      ...(idempotency === undefined ? {} : { idempotency }),
      ...(traceparent === undefined ? {} : { traceparent }),
    });
    return { ...done, caller };
  });
}

function toOperation(wish: BatchWish, { publicOriginals }: BatchDeps): BatchOperation {
  if (wish.type === "createAlbum" || wish.type === "putAlbum") return { ...wish, id: Bun.randomUUIDv7() };
  return wish.type === "moveImage" ? { ...wish, publicOriginals } : wish;
}
