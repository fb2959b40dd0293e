#!/usr/bin/env bun
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { isatty } from "node:tty";
import { run } from "./cli/run.ts";
import { writeAll } from "./observe/write-all.ts";

/** Ctrl-C under `npm start` comes twice: from the terminal, and passed on by npm. */
const SAME_REQUEST_MS = 500;

/** The first asks to stop; another one later ends the process as the signal would have. */
function onStop(listener: () => void): () => void {
  let askedAt: number | undefined;
  const onSignal = (signal: "SIGTERM" | "SIGINT") => {
    askedAt ??= performance.now();
    if (performance.now() - askedAt > SAME_REQUEST_MS) process.exit(128 + constants.signals[signal]);
    listener();
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, onSignal);
  return () => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.off(signal, onSignal);
  };
}

let printed = Promise.resolve();
const printTo = (fd: number) => (text: string) => {
  printed = printed.then(() => writeAll(fd, Buffer.from(text)));
};

const code = await run({
  argv: process.argv.slice(2),
  env: process.env,
  isTerminal: isatty(1),
  isErrorTerminal: isatty(2),
  out: printTo(1),
  err: printTo(2),
  readFile: (path) => readFileSync(path, "utf8"),
  onStop,
});
await printed;
process.exit(code);
