import { isatty } from "node:tty";
import pino, { type Logger } from "pino";
import { describeError } from "./errors.ts";
import { createLogSink, type LogSink } from "./log-sink.ts";

export type { Logger } from "pino";

export interface LoggerOptions {
  readonly level: "trace" | "debug" | "info" | "warn" | "error" | "silent";
  readonly format: "json" | "pretty";
  /** Default: standard output. */
  readonly fd?: number;
}

export const silentLogger: Logger = pino({ level: "silent" });

/** Logs one JSON object per line; or text for people, which costs more and is loaded only when asked for. */
export async function openLogger(options: LoggerOptions): Promise<{ logger: Logger; sink: LogSink }> {
  const fd = options.fd ?? 1;
  const sink = createLogSink(fd);
  const destination = options.format === "pretty" ? await prettyPrinter(sink, isatty(fd)) : sink;
  const logger = pino({ level: options.level, base: null, serializers: { error: describeError } }, destination);
  return { logger, sink };
}

/** Runs in this thread: a transport of pino's would be a worker that outlives the process it reports on. */
async function prettyPrinter(sink: LogSink, colorize: boolean): Promise<{ write(line: string): void }> {
  const { prettyFactory } = await import("pino-pretty");
  const prettify = prettyFactory({ colorize, translateTime: "SYS:HH:MM:ss.l", singleLine: true });
  return {
    write(line) {
      sink.write(prettify(line) ?? "");
    },
  };
}
