import { serveWriter } from "./writer-thread.ts";

serveWriter(globalThis);
