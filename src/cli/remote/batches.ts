import { type BatchOperation, type BatchOutcome, StoreError } from "../../../client/src/index.ts";
import type { RemoteCall } from "./connection.ts";

/** The most operations of a batch. */
const MOST = 1000;

/** Groups of items that fit into a batch. */
export function* groupsOf<Item>(items: Iterable<Item>): Generator<readonly Item[], void> {
  let group: Item[] = [];
  for (const item of items) {
    group.push(item);
    if (group.length < MOST) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}

/** Runs each operation, whatever becomes of the others. Returns why each was refused; undefined for one that succeeded. */
export async function refusalsOf(
  { client, signal }: Pick<RemoteCall, "client" | "signal">,
  operations: readonly BatchOperation[],
): Promise<readonly (StoreError | undefined)[]> {
  return (await client.batch(operations, { atomic: false, signal })).map(refusalOf);
}

/** undefined for an operation that succeeded. */
export function refusalOf({ error: problem, status }: BatchOutcome): StoreError | undefined {
  if (problem === undefined) return undefined;
  return new StoreError(problem.detail, { status, code: problem.code, requestId: problem.requestId, problem });
}
