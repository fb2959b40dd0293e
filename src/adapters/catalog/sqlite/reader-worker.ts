import { serveReader } from "./reader-thread.ts";

serveReader(globalThis);
