#!/usr/bin/env bun
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { run } from "./cli/run.ts";

/** The first asks to stop; the second ends the process as the signal would have. */
function onStop(listener: () => void): () => void {
  let asked = false;
  const onSignal = (signal: "SIGTERM" | "SIGINT") => {
    if (asked) process.exit(128 + constants.signals[signal]);
    asked = true;
    listener();
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, onSignal);
  return () => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.off(signal, onSignal);
  };
}

const code = await run({
  argv: process.argv.slice(2),
  env: process.env,
  isTerminal: process.stdout.isTTY,
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  readFile: (path) => readFileSync(path, "utf8"),
  onStop,
});
// What a pipe has not taken yet would be lost.
await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((done) => stream.write("", done))));
process.exit(code);
