import { prepareSharp } from "./prepare-sharp.ts";
import { renderToFile } from "./render-to-file.ts";
import { serveJobs } from "./serve-jobs.ts";

prepareSharp();
serveJobs(renderToFile);
