import { type Image, StoreError } from "../../../client/src/index.ts";
import { ObjectSourceError } from "../../adapters/blobs/s3/source-error.ts";
import { EXIT } from "../context.ts";
import { formatBytes } from "../progress-bar.ts";
import type { RemoteCall } from "./connection.ts";
import { describeError, isFatal } from "./describe-error.ts";
import { type Progress, startProgress } from "./progress.ts";

export const IN_FLIGHT = 16;

/** So many failures of the connection in a row, and none of the other files is tried. */
const MAX_LOST = IN_FLIGHT;

export type Action = "sent" | "received" | "deleted" | "kept" | "changed";

/** Files that go to a store or come from it: what was done, what failed, and how far it is. */
export interface Transfer extends Disposable {
  /** Nothing had to be done, and nothing is printed. */
  unchanged(): void;
  readonly progress: Progress;
  done(action: Action, name: string, image?: Image): Promise<void>;
  /**
   * Says which file failed, and why.
   * @throws the error if the other files would fail too
   */
  fail(name: string, error: unknown): void;
  /** Says that a file was left out; it is no failure. */
  skip(name: string, reason: string): void;
  readonly failed: number;
  /** Prints the summary, and returns the exit code. */
  finish(): Promise<number>;
}

/** The store has no room for the file. */
const OF_SPACE: ReadonlySet<string> = new Set(["insufficient_storage", "quota_exceeded"]);

const files = (count: number): string => `${count.toLocaleString("en-US")} ${count === 1 ? "file" : "files"}`;

export function startTransfer(call: RemoteCall, { isDry = false }: { readonly isDry?: boolean } = {}): Transfer {
  const { context, print, signal } = call;
  const progress = startProgress(context);
  const counts: Record<Action | "unchanged" | "failed" | "skipped", number> = {
    sent: 0,
    received: 0,
    deleted: 0,
    kept: 0,
    changed: 0,
    unchanged: 0,
    failed: 0,
    skipped: 0,
  };
  let lost = 0;
  function say(text: string): void {
    progress.clear();
    context.err(`${text}\n`);
  }
  return {
    progress,
    unchanged() {
      counts.unchanged += 1;
    },
    async done(action, name, image) {
      lost = 0;
      counts[action] += 1;
      const line = { action, name, ...(isDry ? { dryRun: true } : {}), ...(image === undefined ? {} : { image }) };
      if (isDry || call.has("json")) await print(line, `${name} would be ${action}`);
    },
    fail(name, error) {
      signal.throwIfAborted();
      if (isFatal(error)) {
        // What is wrong with the key or the album is not about this file.
        if (error instanceof StoreError && !OF_SPACE.has(error.code)) throw error;
        throw new Error(`${name}: ${describeError(error, call)}`, { cause: error });
      }
      counts.failed += 1;
      const reason = describeError(error, call);
      say(`${name}: ${reason}`);
      if (call.has("json")) context.out(`${JSON.stringify({ action: "failed", name, reason })}\n`);
      const isLost =
        (error instanceof StoreError && ["unreachable", "unexpected_response"].includes(error.code)) ||
        (error instanceof ObjectSourceError && error.isAway);
      lost = isLost ? lost + 1 : lost;
      if (lost >= MAX_LOST) throw error;
    },
    skip(name, reason) {
      counts.skipped += 1;
      say(`${name}: skipped, ${reason}`);
    },
    get failed() {
      return counts.failed;
    },
    async finish() {
      progress.clear();
      const bytes = progress.moved;
      const { failed, ...others } = counts;
      const told = Object.entries(others).filter(([, count]) => count > 0);
      const parts = told.map(([action, count]) => `${files(count)} ${action}`);
      if (failed > 0) parts.push(`${files(failed)} failed`);
      if (parts.length === 0) parts.push("0 files");
      const size = bytes > 0 ? ` (${formatBytes(bytes)} moved)` : "";
      await print({ action: "finished", ...counts, bytes }, `${isDry ? "Would be: " : ""}${parts.join(", ")}${size}`);
      if (failed > 0) context.err("Run the command again to complete it.\n");
      return failed > 0 ? EXIT.failed : EXIT.ok;
    },
    [Symbol.dispose]: () => progress[Symbol.dispose](),
  };
}

/**
 * Runs `work` for each item, some at a time, and reads items as it goes. The first failure ends all: no further item begins.
 * @throws the first failure; the signal's reason
 */
export async function forEach<Item>(
  items: AsyncIterable<Item> | Iterable<Item>,
  signal: AbortSignal,
  work: (item: Item) => Promise<void>,
  atOnce: number = IN_FLIGHT,
): Promise<void> {
  const iterator = iterate(items);
  let failure: { readonly error: unknown } | undefined;
  async function runLane(): Promise<void> {
    while (failure === undefined) {
      try {
        signal.throwIfAborted();
        const next = await iterator.next();
        if (next.done === true) return;
        await work(next.value);
      } catch (error) {
        failure ??= { error };
      }
    }
  }
  await Promise.all(Array.from({ length: atOnce }, runLane));
  await iterator.return();
  if (failure !== undefined) throw failure.error;
}

/** A generator hands its items out one by one, whatever asks for several at once. */
async function* iterate<Item>(items: AsyncIterable<Item> | Iterable<Item>): AsyncGenerator<Item, void> {
  yield* items;
}
