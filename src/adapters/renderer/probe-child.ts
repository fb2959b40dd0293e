import { prepareSharp } from "./prepare-sharp.ts";
import { probeWithSharp } from "./probe-with-sharp.ts";
import { serveJobs } from "./serve-jobs.ts";

prepareSharp();
serveJobs(probeWithSharp);
