import { connectThread, serveRequests, type ThreadPort } from "../../../concurrency/worker-thread.ts";
import type { Change } from "../../../domain/change.ts";
import { openConnection } from "./connection.ts";
import type { BatchResult, Writer } from "./writer.ts";
import { createSqliteWriter } from "./writer.ts";

type Request = { readonly open: string } | { readonly run: readonly Change[] } | { readonly close: true };

/** Runs on the thread: opens the catalog, writes batch after batch, closes it. */
export function serveWriter(port: ThreadPort): void {
  let writer: Writer | undefined;

  serveRequests(port, async (request: Request): Promise<BatchResult | undefined> => {
    if ("open" in request) writer = createSqliteWriter(openConnection(request.open, { readonly: false }));
    else if (writer === undefined) throw new Error("The writer is not open.");
    else if ("run" in request) return writer.run(request.run);
    else await writer.close();
    return undefined;
  });
}

/**
 * A writer on a thread of its own, so that reads never wait for a sync.
 * @param worker runs {@link serveWriter}
 */
export async function startWriterThread(
  path: string,
  worker = new Worker(new URL("./writer-worker.ts", import.meta.url).href),
): Promise<Writer> {
  const thread = connectThread<Request>(worker, "writer thread");
  let isDead = false;
  void thread.death.then(() => {
    isDead = true;
  });
  try {
    await thread.request({ open: path });
  } catch (error) {
    thread[Symbol.dispose]();
    throw error;
  }
  return {
    run: (changes) => thread.request({ run: changes }),
    async close() {
      using _ = thread;
      if (!isDead) await thread.request({ close: true });
    },
    death: thread.death,
  };
}
