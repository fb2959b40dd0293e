import { serveRequests } from "../../../concurrency/worker-thread.ts";
import { copyCatalog } from "./snapshot.ts";

serveRequests(globalThis, copyCatalog);
