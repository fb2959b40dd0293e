import { copyCatalog, type SnapshotRequest } from "./snapshot.ts";

globalThis.addEventListener("message", ({ data }: MessageEvent<SnapshotRequest>) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  globalThis.postMessage(copyCatalog(data));
});
