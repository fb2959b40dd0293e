export const EXIT = { ok: 0, failed: 1, usage: 2, catalogFailed: 70 } as const;

/** What a command uses of its process: arguments, environment, streams and signals. Tests pass their own. */
export interface CliContext {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isTerminal: boolean;
  /** Whether standard error is a terminal; default: false. */
  readonly isErrorTerminal?: boolean;
  /** Of that terminal; undefined where it is not known. */
  readonly columns?: () => number | undefined;
  /** Of the user, for files that a command writes for them; default: 0o077. */
  readonly umask?: number;
  readonly out: (text: string) => void;
  /** Resolves when what was printed has been read or buffered by the system; default: at once. */
  readonly printed?: () => Promise<void>;
  /** Aborted when the reader of standard output is gone; default: never. */
  readonly outputClosed?: AbortSignal;
  readonly err: (text: string) => void;
  readonly readFile: (path: string) => string;
  /** Calls the listener for each request to stop; returns a function that unsubscribes it. */
  readonly onStop: (listener: () => void) => () => void;
  /** Calls the listener for each request to reload keys; returns a function that unsubscribes it. Default: none. */
  readonly onReload?: (listener: () => void) => () => void;
}
