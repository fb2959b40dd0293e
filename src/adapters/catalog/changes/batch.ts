import {
  type BatchOperation,
  type BatchOutcome,
  DELETED_AT_ONCE,
  type RunBatch,
  readCaller,
} from "../../../domain/batch.ts";
import type { Change, ChangeResults, Replayable } from "../../../domain/change.ts";
import { StoreError, serializeError } from "../../../domain/errors.ts";
import { type Asking, type Lookup, toChange } from "../../../domain/requests.ts";
import type { Visibility } from "../../../domain/visibility.ts";
import type { Driver } from "../driver.ts";
import { findAlbum } from "../queries/albums.ts";
import { findImageById } from "../queries/images.ts";
import { watchWrites } from "../watch-writes.ts";
import { lockForBatch } from "./batch-locks.ts";
import type { ChangeContext } from "./context.ts";
import { onlyOnce } from "./idempotency.ts";

type Result = ChangeResults[Change["type"]];
type Apply = (db: Driver, context: ChangeContext, change: Change) => Promise<Result>;

export async function runBatch(
  db: Driver,
  context: ChangeContext,
  change: RunBatch,
  apply: Apply,
): Promise<Replayable<readonly BatchOutcome[]>> {
  const { atomic, idempotency, maxMs, operations, traceparent } = change;
  const asking: Asking = { caller: readCaller(change.caller), traceparent };
  const deletions = operations.filter(({ type }) => type === "deleteAlbum").length;
  const lookup = createLookup(db);
  const run: Run = { db, context, asking, apply, lookup, atOnce: Math.floor(DELETED_AT_ONCE / deletions) };
  const end = performance.now() + maxMs;
  return onlyOnce(db, context, idempotency, async () => {
    if (context.sideBySide > 1) await lockForBatch(db, context, asking.caller, operations);
    const outcomes: BatchOutcome[] = [];
    while (outcomes.length < operations.length) {
      if (performance.now() > end) throw tooSlow(maxMs);
      const done = await runGroup(run, nextGroup(operations, outcomes.length, context));
      const failed = done.findIndex((outcome) => outcome instanceof StoreError);
      if (atomic && failed !== -1) throw failedAt(outcomes.length + failed, done[failed] as StoreError);
      outcomes.push(
        ...done.map((outcome) => (outcome instanceof StoreError ? { error: serializeError(outcome) } : outcome)),
      );
    }
    return outcomes;
  });
}

interface Run {
  readonly db: Driver;
  readonly context: ChangeContext;
  readonly asking: Asking;
  readonly apply: Apply;
  readonly lookup: RememberingLookup;
  /** Images of an album that may be deleted in this transaction. */
  readonly atOnce: number;
}

type Outcome = Exclude<BatchOutcome, { readonly error: unknown }> | StoreError;

/** The next operation, and those behind it that do the same to other images. */
function nextGroup(
  operations: readonly BatchOperation[],
  start: number,
  { sideBySide: most }: ChangeContext,
): readonly BatchOperation[] {
  const first = operations[start];
  const touched = new Set<string>();
  const past = operations.slice(start, start + most).findIndex((operation) => {
    const touches = touchesOf(operation);
    const fits =
      operation.type === first?.type &&
      touches.length > 0 &&
      // A ledger is for the images of one album.
      (operation.type === "updateImage" || albumOf(operation) === albumOf(first)) &&
      !touches.some((one) => touched.has(one));
    for (const one of touches) touched.add(one);
    return !fits;
  });
  return operations.slice(start, start + (past === -1 ? most : Math.max(past, 1)));
}

const albumOf = (operation: BatchOperation | undefined) =>
  operation !== undefined && "album" in operation ? operation.album : undefined;

/** The images that an operation is about, if it is about nothing else. */
function touchesOf(operation: BatchOperation): readonly string[] {
  if (operation.type !== "updateImage" && operation.type !== "deleteImage") return [];
  const { album, name } = operation;
  const next = operation.type === "updateImage" ? (operation.patch.name ?? name) : name;
  return [...new Set([name, next])].map((one) => `${album}/${one}`);
}

async function runGroup(run: Run, group: readonly BatchOperation[]): Promise<readonly Outcome[]> {
  const { context, db, lookup } = run;
  const changes = await settleAll(group.map((operation) => resolve(run, operation)));
  context.ledger = context.newLedger(changes.filter((change): change is Change => !(change instanceof StoreError)));
  const outcomes = await settleAll(
    changes.map((change) => (change instanceof StoreError ? Promise.resolve(change) : applyOne(run, change))),
  );
  await context.ledger.spread(db);
  if (group.some(({ type }) => type.endsWith("Album"))) lookup.forget();
  return outcomes;
}

/** Waits for all of them: a statement of a failed one must not come after the transaction. */
async function settleAll<Value>(running: readonly Promise<Value>[]): Promise<readonly Value[]> {
  const settled = await Promise.allSettled(running);
  return settled.map((result) => {
    if (result.status === "rejected") throw result.reason;
    return result.value;
  });
}

interface RememberingLookup extends Lookup {
  forget(): void;
}

/** Operations on images look up the same few albums, and change nothing of what is looked for. */
function createLookup(db: Driver): RememberingLookup {
  const albums = new Map<string, ReturnType<typeof findAlbum>>();
  return {
    album: (name: string, visibility: Visibility) => {
      const known = albums.get(name) ?? findAlbum(db, name, visibility);
      albums.set(name, known);
      return known;
    },
    imageById: (id, visibility) => findImageById(db, id, visibility),
    forget: () => albums.clear(),
  };
}

async function resolve({ asking, atOnce, lookup }: Run, operation: BatchOperation): Promise<Change | StoreError> {
  try {
    const change = await toChange(lookup, asking, operation);
    return change.type === "deleteAlbum" ? { ...change, atOnce } : change;
  } catch (error) {
    if (error instanceof StoreError) return error;
    throw error;
  }
}

async function applyOne({ apply, context, db }: Run, change: Change): Promise<Outcome> {
  const watched = watchWrites(db);
  try {
    return outcomeOf(change, await apply(watched, context, change));
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    // The operations before it are kept, and half of this one would be.
    if (watched.hasWritten()) throw new Error(`A refused ${change.type} had written.`, { cause: error });
    return error;
  } finally {
    context.ledger.end(change);
  }
}

function outcomeOf({ type }: Change, result: Result): Outcome {
  switch (type) {
    case "moveImage":
      return { created: false, record: (result as ChangeResults[typeof type]).value };
    case "createAlbum":
      return { created: true, record: (result as ChangeResults[typeof type]).value };
    case "putAlbum": {
      const { created, album } = result as ChangeResults[typeof type];
      return { created, record: album };
    }
    case "updateAlbum":
    case "updateImage":
    case "forgetDescription":
      return { created: false, record: result as ChangeResults[typeof type] };
    default:
      return { created: false, record: null };
  }
}

const failedAt = (operation: number, { code, message, errors, members }: StoreError) =>
  new StoreError(code, message, { errors, members: { ...members, operation } });

const tooSlow = (maxMs: number) =>
  new StoreError(
    "busy",
    `The batch took more than ${maxMs / 1000} seconds, and nothing was done. Send fewer operations.`,
  );
