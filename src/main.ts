#!/usr/bin/env bun
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { isatty } from "node:tty";
import { run } from "./cli/run.ts";
import { writeAll } from "./observe/log-sink.ts";

// Other users must not read images or the key of signed links.
const umask = process.umask(0o077);

/** Ctrl-C under `npm start` arrives twice: from the terminal and from npm. */
const SAME_REQUEST_MS = 500;

type Listener = (signal: NodeJS.Signals) => void;

function listenTo(signals: readonly NodeJS.Signals[], listener: Listener): () => void {
  for (const signal of signals) process.on(signal, listener);
  return () => {
    for (const signal of signals) process.off(signal, listener);
  };
}

/** A closed terminal sends it; without a terminal, it is a request to reload the keys. */
const HANGUP = "SIGHUP";
const isTerminal = isatty(1);

/** The first signal stops the server; a later one ends the process at once. */
function onStop(listener: () => void): () => void {
  let askedAt: number | undefined;
  return listenTo(["SIGTERM", "SIGINT", ...(isTerminal ? ([HANGUP] as const) : [])], (signal) => {
    askedAt ??= performance.now();
    if (performance.now() - askedAt > SAME_REQUEST_MS) process.exit(128 + constants.signals[signal]);
    listener();
  });
}

function onReload(listener: () => void): () => void {
  const forget = [
    listenTo(isTerminal ? [] : [HANGUP], listener),
    // Log rotation tools send these, and by default they end the process.
    listenTo(["SIGUSR1", "SIGUSR2"], () => {}),
  ];
  return () => forget.forEach((end) => end());
}

let printed = Promise.resolve();
const outputClosed = new AbortController();
const printTo = (fd: number) => (text: string) => {
  printed = printed.then(async () => {
    if ((await writeAll(fd, Buffer.from(text))) === "closed" && fd === 1) outputClosed.abort();
  });
};

const code = await run({
  argv: process.argv.slice(2),
  env: process.env,
  isTerminal,
  isErrorTerminal: isatty(2),
  columns: () => process.stderr.columns,
  umask,
  out: printTo(1),
  err: printTo(2),
  printed: () => printed,
  outputClosed: outputClosed.signal,
  readFile: (path) => readFileSync(path, "utf8"),
  onStop,
  onReload,
});
await printed;
process.exit(code);
