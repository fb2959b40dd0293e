import { serveWriter } from "./sqlite-writer-thread.ts";

serveWriter(globalThis);
