import type { Browser, CDPSession, Page } from "playwright-core";

/** Processor time of the tasks of pages, which a busy machine does not lengthen as it does their duration. */
export interface TaskTrace {
  /** The moment, by a name. */
  mark(page: Page, name: string): Promise<void>;
  /** Ends it. */
  stop(): Promise<TaskTimes>;
}

export interface TaskTimes {
  /** Milliseconds of the longest task that began between two marks; without the first, since the start. */
  longest(from: string | undefined, until: string): number;
}

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  /** In microseconds, as the others. */
  readonly ts: number;
  readonly tdur?: number;
}

/** Of the renderer that a mark is of; a browser has one trace at a time. */
export async function traceTasks(browser: Browser): Promise<TaskTrace> {
  const devtools = await browser.newBrowserCDPSession();
  const events: TraceEvent[] = [];
  devtools.on("Tracing.dataCollected", ({ value }) => void events.push(...(value as unknown as TraceEvent[])));
  await devtools.send("Tracing.start", {
    transferMode: "ReportEvents",
    traceConfig: { includedCategories: ["toplevel", "blink.user_timing"], excludedCategories: ["*"] },
  });
  const markOf = (name: string) => {
    const found = events.find((event) => event.name === name);
    if (found === undefined) throw new Error(`The trace has no mark ${name}.`);
    return found;
  };
  return {
    mark: (page, name) => page.evaluate(`void performance.mark(${JSON.stringify(name)})`),
    async stop() {
      await end(devtools);
      return {
        longest(from, until) {
          const { ts: end_, pid, tid } = markOf(until);
          const begin = from === undefined ? 0 : markOf(from).ts;
          const tasks = events.filter(
            (event) =>
              event.ph === "X" &&
              event.name.endsWith("RunTask") &&
              event.pid === pid &&
              event.tid === tid &&
              event.ts >= begin &&
              event.ts < end_,
          );
          if (tasks.length === 0) throw new Error(`The trace has no task before ${until}.`);
          return Math.max(...tasks.map(({ tdur = 0 }) => tdur / 1000));
        },
      };
    },
  };
}

async function end(devtools: CDPSession): Promise<void> {
  const complete = new Promise<void>((resolve) => devtools.once("Tracing.tracingComplete", () => resolve()));
  await devtools.send("Tracing.end");
  await complete;
  await devtools.detach();
}
