import { StoreError, serializeError } from "../../domain/errors.ts";
import type { ProbeJob } from "./probe-with-sharp.ts";
import { prepareSharp, probeWithSharp } from "./probe-with-sharp.ts";

// A thin shell: what it runs is tested in-process, where coverage can see it.
prepareSharp();
process.on("message", (job: ProbeJob) => {
  probeWithSharp(job).then(
    (result) => process.send?.({ result }),
    (error: unknown) => {
      if (!(error instanceof StoreError)) throw error;
      process.send?.({ error: serializeError(error) });
    },
  );
});
// Also when the parent was killed.
process.on("disconnect", () => process.exit());
process.send?.({ ready: true });
