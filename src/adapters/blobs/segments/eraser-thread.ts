import { connectThread, type ThreadClient } from "../../../concurrency/worker-thread.ts";
import type { Erase, EraseRequest } from "./eraser.ts";

export interface EraserThread extends Disposable {
  readonly erase: Erase;
}

const startWorker = () => new Worker(new URL("./eraser-worker.ts", import.meta.url).href);

/**
 * Erases on a thread of its own, so no request waits for the disk. The thread starts with the first request, since many
 * stores never delete; after it died, with the next one.
 * @param start starts a thread that runs `serveEraser`
 */
export function createEraserThread(start: () => Worker = startWorker): EraserThread {
  let thread: ThreadClient<EraseRequest> | undefined;

  function open(): ThreadClient<EraseRequest> {
    const opened = connectThread<EraseRequest>(start(), "eraser thread");
    void opened.death.then(() => {
      if (thread === opened) thread = undefined;
    });
    return opened;
  }

  return {
    erase(path, addresses) {
      thread ??= open();
      return thread.request({ path, addresses });
    },
    [Symbol.dispose]: () => thread?.[Symbol.dispose](),
  };
}
