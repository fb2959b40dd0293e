import { closeSync, openSync, readFileSync } from "node:fs";
import { PATIENCE_MS } from "../waiting.ts";

/** Whom a program runs as, by number. */
export interface User {
  readonly uid: number;
  readonly gid: number;
}

export interface ServerProcess {
  /** Undefined while it does not run. */
  readonly pid: number | undefined;
  /** Resolves when it answers. Does nothing where it runs already. */
  start(): Promise<void>;
  /** Resolves when it is gone. */
  end(signal: NodeJS.Signals): Promise<void>;
}

/** A server of others as a child process. It is not started yet. */
export function createServerProcess(options: {
  readonly name: string;
  readonly command: readonly string[];
  /** Takes standard output and standard error, those of each start after those of the one before. */
  readonly logFile: string;
  answers(): Promise<boolean>;
  readonly env?: Record<string, string>;
  readonly user?: User | undefined;
  /** Sent to it when the tests die before they ended it. */
  readonly orphanSignal?: "KILL" | "QUIT";
}): ServerProcess {
  const { name, logFile, env, user, orphanSignal = "KILL" } = options;
  // Where tests are killed nobody ends what they started; only Linux can be told to.
  const setpriv = process.platform === "linux" ? Bun.which("setpriv") : null;
  const command =
    setpriv === null ? [...options.command] : [setpriv, "--pdeathsig", orphanSignal, "--", ...options.command];
  let child: Bun.Subprocess | undefined;

  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const ending = child;
    if (ending === undefined) return;
    ending.kill(signal);
    await ending.exited;
    if (child === ending) child = undefined;
  };

  return {
    get pid() {
      return child?.pid;
    },
    end,
    async start() {
      if (child !== undefined) return;
      const log = openSync(logFile, "a");
      try {
        child = Bun.spawn(command, {
          stdin: "ignore",
          stdout: log,
          stderr: log,
          env: { ...process.env, ...env },
          ...user,
        });
      } finally {
        closeSync(log);
      }
      const started = child;
      const deadline = Date.now() + PATIENCE_MS;
      while (!(await options.answers())) {
        const isGone = started.exitCode !== null || started.signalCode !== null;
        if (isGone || Date.now() > deadline) {
          await end("SIGKILL");
          throw new Error(`${name} did not start:\n${readFileSync(logFile, "utf8").slice(-4000)}`);
        }
        await Bun.sleep(20);
      }
    },
  };
}
