import { basename } from "node:path";
import type { ProbeJob } from "../../../src/adapters/renderer/probe-with-sharp.ts";

// Stands in for the decoder's process and does what the file's name says.
process.on("message", (job: ProbeJob) => {
  const name = basename("path" in job ? job.path : "");
  process.send?.({ begun: true });
  if (name === "crash") process.kill(process.pid, "SIGSEGV");
  else if (name === "hang") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  else if (name === "spin") for (;;);
  else if (name === "stop") process.kill(process.pid, "SIGSTOP");
  else if (name === "killed") process.kill(process.pid, "SIGKILL");
  else if (name === "grow") grow();
  else if (name === "slow") setTimeout(answer, 300);
  else if (name === "pid") process.send?.({ result: process.pid });
  else answer();
});
process.on("disconnect", () => process.exit());
process.send?.({ ready: true });

function answer() {
  const result = { contentType: "image/jpeg", width: 1, height: 1, frames: 1, hasAlpha: false, orientation: 1 };
  process.send?.({ result });
}

function grow() {
  const kept: Uint8Array[] = [];
  setInterval(() => kept.push(new Uint8Array(16 * 1024 * 1024).fill(1)), 5);
}
