import { prepareSharp } from "./prepare-sharp.ts";
import { runRenderJob } from "./render-job.ts";
import { serveJobs } from "./serve-jobs.ts";

prepareSharp();
serveJobs(runRenderJob);
