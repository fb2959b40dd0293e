import type { Logger } from "pino";

/** Errors of an aggregate that are logged. */
const MAX_ERRORS = 3;
/** Milliseconds for which a repeated error is logged in short. */
const INTERVAL = 60_000;
/** Kinds of errors that are remembered. */
const MAX_KINDS = 200;
/** The parts of a message that differ between errors of one kind: addresses, ports, ids, counts. */
const PARTICULARS = /[0-9a-f]{8}-[0-9a-f-]{27}|\d+/gi;

/**
 * An error with its causes, for the log. Only these members are logged: client libraries attach their whole configuration,
 * passwords included, to their errors. An aggregate's errors with equal summaries are logged once, since clients collect
 * one for each attempt and address.
 */
export function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { code } = error as { code?: unknown };
  const { cause, stack } = error;
  return {
    type: error.name,
    message: error.message,
    ...(code === undefined ? {} : { code }),
    stack,
    ...(cause === undefined ? {} : { cause: describeCause(cause) }),
    ...(error instanceof AggregateError ? describeErrors(error.errors) : {}),
  };
}

/** Only the outermost error and the root cause keep their stacks. */
function describeCause(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { stack, ...described } = describeError(error) as { readonly stack?: string };
  return "cause" in described || "errors" in described ? described : { ...described, stack };
}

function describeErrors(errors: readonly unknown[]) {
  const different = [...new Map(errors.map((error) => [summarizeError(error), error])).values()];
  const left = different.length - MAX_ERRORS;
  return {
    errors: different.slice(0, MAX_ERRORS).map(describeCause),
    ...(left > 0 ? { furtherErrors: left } : {}),
  };
}

/** One line: the error's message and that of its root cause. */
export function summarizeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const message = oneLine(error);
  const root = rootOf(error);
  if (root === error) return message;
  const reason = root instanceof Error ? oneLine(root) : String(root);
  return message.includes(reason) ? message : `${message} (${reason})`;
}

function rootOf(error: Error): unknown {
  let root: unknown = error;
  const seen = new Set<unknown>();
  while (root instanceof Error && !seen.has(root)) {
    seen.add(root);
    const inner: unknown = root.cause ?? (root instanceof AggregateError ? root.errors.at(-1) : undefined);
    if (inner === undefined) break;
    root = inner;
  }
  return root;
}

/** An error without a message is named by its code or type. */
const oneLine = (error: Error): string => {
  const { code } = error as { code?: unknown };
  const text = error.message.replace(/\s+/g, " ").trim();
  return text || (typeof code === "string" ? code : error.name);
};

export interface ReportOptions {
  /** Milliseconds for which a kind of error stays known, and between two log lines of a failure that goes on. */
  readonly interval?: number;
  /** Milliseconds of a monotonic clock. */
  readonly now?: () => number;
}

/**
 * Returns a function that makes an error's log fields: the error with its causes for the first of its kind in an
 * interval, a summary for the others. An unavailable dependency fails every request in the same way.
 */
export function createErrorReporter({ interval = INTERVAL, now = () => performance.now() }: ReportOptions = {}) {
  const reported = new Map<string, number>();
  return (error: unknown): { readonly error: unknown } | { readonly reason: string } => {
    const reason = summarizeError(error);
    const kind = reason.replace(PARTICULARS, "#");
    const last = reported.get(kind);
    if (last !== undefined && now() - last < interval) return { reason };
    if (reported.size >= MAX_KINDS) reported.clear();
    reported.set(kind, now());
    return { error };
  };
}

export interface FailureReports {
  /** Logs a failure that is retried. `name` identifies the work that failed; `fields` are in each of its log lines. */
  failed(
    name: string,
    error: unknown,
    message: string,
    fields?: Readonly<Record<string, unknown>>,
    level?: "warn" | "error",
  ): void;
  /** Logs that the work succeeds again, if it had failed. */
  recovered(name: string, message: string, fields?: Readonly<Record<string, unknown>>): void;
}

interface OngoingFailure {
  readonly since: number;
  readonly kinds: Set<string>;
  failures: number;
  reportedAt: number;
  failedAt: number;
}

/**
 * Logs failures of retried work: the first, and each of another kind, with its causes; then one short line per interval;
 * and the recovery.
 */
export function createFailureReports(
  logger: Logger,
  { interval = INTERVAL, now = () => performance.now() }: ReportOptions = {},
): FailureReports {
  const ongoing = new Map<string, OngoingFailure>();
  const secondsOf = ({ since }: OngoingFailure) => Math.round((now() - since) / 1000);

  /** Work that has not failed for two intervals counts as recovered, reported or not. */
  const find = (name: string): OngoingFailure | undefined => {
    const state = ongoing.get(name);
    return state === undefined || now() - state.failedAt > 2 * interval ? undefined : state;
  };

  return {
    failed(name, error, message, fields = {}, level = "warn") {
      const reason = summarizeError(error);
      const kind = reason.replace(PARTICULARS, "#");
      const state = find(name) ?? { since: now(), kinds: new Set(), failures: 0, reportedAt: now(), failedAt: now() };
      ongoing.set(name, state);
      state.failures += 1;
      state.failedAt = now();
      if (!state.kinds.has(kind) && state.kinds.size < MAX_KINDS) {
        state.kinds.add(kind);
        logger[level]({ ...fields, error }, message);
      } else if (now() - state.reportedAt < interval) return;
      else logger[level]({ ...fields, reason, failures: state.failures, seconds: secondsOf(state) }, message);
      state.reportedAt = now();
    },
    recovered(name, message, fields = {}) {
      const state = ongoing.get(name);
      if (state === undefined) return;
      ongoing.delete(name);
      logger.info({ ...fields, failures: state.failures, seconds: secondsOf(state) }, message);
    },
  };
}
