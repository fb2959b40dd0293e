export const EXIT = { ok: 0, failed: 1, usage: 2, catalogFailed: 70 } as const;

/** What the command line has of the world, so that a test can give it another. */
export interface Surroundings {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isTerminal: boolean;
  /** Standard error; default: no. */
  readonly isErrorTerminal?: boolean;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly readFile: (path: string) => string;
  /** Calls back for each request to stop; answers the function that ends it. */
  readonly onStop: (listener: () => void) => () => void;
}
