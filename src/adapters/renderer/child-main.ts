import { writeFileSync } from "node:fs";
import { StoreError, serializeError } from "../../domain/errors.ts";
import type { ChildMessage } from "./child.ts";
import { prepareSharp } from "./decoder.ts";
import { lowerPriority, runWhenIdle } from "./priority.ts";

// A process that decodes untrusted bytes: it does the work that its argument names, one job at a time, until its parent
// is gone. It loads no code of the other kinds.

const send = (message: ChildMessage<unknown>) => process.send?.(message);

async function loadWork(kind: string | undefined): Promise<(job: never) => Promise<unknown>> {
  switch (kind) {
    case "probe":
      return (await import("./probe-with-sharp.ts")).probeWithSharp;
    case "render":
      // Requests go first: few of them wait for a variant.
      lowerPriority();
      return (await import("./render-to-file.ts")).renderToFile;
    case "describe":
      // No request waits for a description.
      runWhenIdle();
      return (await import("./describe-with-sharp.ts")).describeWithSharp;
    default:
      throw new Error(`There is no work called ${kind}.`);
  }
}

/** Where the machine's memory runs out, Linux is to end this process and not the store's. */
function offerToEndFirst(): void {
  try {
    writeFileSync("/proc/self/oom_score_adj", "800");
  } catch {
    // Not on Linux, or /proc is read-only.
  }
}

const work = await loadWork(process.argv[2]);
prepareSharp();
offerToEndFirst();
process.on("message", (job: unknown) => {
  send({ begun: true });
  // The pool and the kind of work agree on the type of the job.
  work(job as never).then(
    (result) => send({ result }),
    (error: unknown) => {
      // An unexpected error ends this process, so that it does not go on in an unknown state.
      if (!(error instanceof StoreError)) throw error;
      send({ error: serializeError(error) });
    },
  );
});
// Also when the parent was killed.
process.on("disconnect", () => process.exit());
send({ ready: true });
