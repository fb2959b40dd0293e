import { constants, setPriority } from "node:os";
import { prepareSharp } from "./prepare-sharp.ts";
import { runRenderJob } from "./render-job.ts";
import { serveJobs } from "./serve-jobs.ts";

// Every request goes first, since most of them wait for no picture.
setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
prepareSharp();
serveJobs(runRenderJob);
