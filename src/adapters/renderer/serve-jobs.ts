import { writeFileSync } from "node:fs";
import { StoreError, serializeError } from "../../domain/errors.ts";
import type { Answer } from "./child.ts";

const say = (answer: Answer<unknown>) => process.send?.(answer);

/** The child's side: works on what the parent sends, one job at a time, until there is no parent any more. */
export function serveJobs(work: (job: never) => Promise<unknown>): void {
  offerToEndFirst();
  process.on("message", (job: unknown) => {
    say({ begun: true });
    // The parent's pool and the entry that calls this name the same kind of job.
    work(job as never).then(
      (result) => say({ result }),
      (error: unknown) => {
        // Whatever nobody foresaw ends this process, so that nothing goes on in an unknown state.
        if (!(error instanceof StoreError)) throw error;
        say({ error: serializeError(error) });
      },
    );
  });
  // Also when the parent was killed.
  process.on("disconnect", () => process.exit());
  say({ ready: true });
}

/** Where the machine's memory runs out, Linux is to take this process and not the store's. */
function offerToEndFirst(): void {
  try {
    writeFileSync("/proc/self/oom_score_adj", "800");
  } catch {
    // Elsewhere than on Linux, or where /proc may not be written to, there is nothing to be said about it.
  }
}
