import { EXIT } from "../../context.ts";
import { formatBytes } from "../../progress-bar.ts";
import type { RemoteCall } from "../connection.ts";
import type { Difference, MirrorReport } from "./run.ts";
import { describeSide } from "./target-place.ts";

/** How often the lag is told. */
const TELL_EVERY_MS = 1000;

export interface Report extends MirrorReport {
  /** Tells the lag again and again, until it is disposed of. */
  start(): Disposable;
  /** Runs the work without telling of differences. */
  quietly<Value>(work: () => Promise<Value>): Promise<Value>;
  /** The source has so many images besides what was told before. */
  expect(found: { readonly images: number; readonly bytes: number }): void;
  /** The target has been like the source. */
  copied(): void;
  applied(lagSeconds: number, events: number): void;
  idle(): void;
  /** A side does not answer, or the log has a gap. */
  waiting(reason: string): void;
  /** Prints the totals. Returns the exit code. */
  finish(counts: { readonly albums: number; readonly images: number }): Promise<number>;
}

export function createReport(call: RemoteCall): Report {
  const { context, print, has } = call;
  const isVerifying = has("verify");
  let isQuiet = false;
  const counts = { changed: 0, failed: 0, bytes: 0, events: 0 };
  const expected = { images: 0, bytes: 0 };
  let lag: { seconds: number; worst: number } | undefined;
  let tellings = Promise.resolve();
  const clear = () => {
    if (context.isErrorTerminal === true) context.err("\r\x1b[K");
  };
  const tell = (document: object, line: string) => {
    clear();
    tellings = tellings.then(() => print(document, line)).catch(() => undefined);
  };
  const say = (text: string) => {
    clear();
    context.err(`${text}\n`);
  };
  function draw(): void {
    if (lag !== undefined && has("json")) {
      tell({ kind: "lag", seconds: rounded(lag.seconds), events: counts.events }, "");
      return;
    }
    if (context.isErrorTerminal !== true) return;
    const moved = `${counts.events.toLocaleString("en-US")} events, ${formatBytes(counts.bytes)}`;
    const line =
      lag === undefined
        ? `Copying: ${counts.changed.toLocaleString("en-US")} of ${expected.images.toLocaleString("en-US")} images, ${formatBytes(counts.bytes)}`
        : `Following: ${rounded(lag.seconds)} s behind, ${moved}`;
    context.err(`\r${line}\x1b[K`);
  }
  return {
    start() {
      const timer = setInterval(draw, TELL_EVERY_MS);
      return { [Symbol.dispose]: () => clearInterval(timer) };
    },
    async quietly(work) {
      isQuiet = true;
      try {
        return await work();
      } finally {
        isQuiet = false;
      }
    },
    expect({ images, bytes }) {
      expected.images += images;
      expected.bytes += bytes;
    },
    changed(kind, difference, name) {
      if (isQuiet) return;
      counts.changed += 1;
      if (isVerifying)
        tell({ kind: "difference", of: kind, difference, name }, `${kind} ${name}: ${SAYING[difference]}`);
    },
    received: (bytes) => void (counts.bytes += bytes),
    failed(name, error) {
      counts.failed += 1;
      const reason = describeSide(error, call);
      say(`${name}: ${reason}`);
      if (has("json")) tell({ kind: "failed", name, reason }, "");
    },
    copied() {
      lag = { seconds: 0, worst: 0 };
    },
    applied(seconds, events) {
      counts.events += events;
      lag = { seconds, worst: Math.max(seconds, lag?.worst ?? 0) };
    },
    idle() {
      if (lag !== undefined) lag = { ...lag, seconds: 0 };
    },
    waiting(reason) {
      say(reason);
      if (has("json")) tell({ kind: "waiting", reason }, "");
    },
    async finish({ albums, images }) {
      const { changed, failed, bytes, events } = counts;
      const isEqual = failed === 0 && !(isVerifying && changed > 0);
      const worst = lag === undefined ? {} : { worstLagSeconds: rounded(lag.worst) };
      const differences = isVerifying ? { differences: changed } : { changed };
      const had = `${albums.toLocaleString("en-US")} albums, ${images.toLocaleString("en-US")} images`;
      const did = isVerifying
        ? `${changed} differences repaired`
        : `${changed.toLocaleString("en-US")} records changed`;
      const more = failed > 0 ? `, ${failed} images failed` : "";
      tell(
        { kind: "finished", albums, images, ...differences, failed, events, bytes, ...worst },
        `${had}: ${did}, ${formatBytes(bytes)} received${more}`,
      );
      await tellings;
      return isEqual ? EXIT.ok : EXIT.failed;
    },
  };
}

const rounded = (seconds: number): number => Math.round(seconds * 100) / 100;

const SAYING: Readonly<Record<Difference, string>> = {
  missing: "it was not in the mirror",
  bytes: "its bytes were others",
  fields: "its name or fields were others",
  album: "it was in another album",
  extra: "the source does not have it",
  order: "the images are in another order of creation",
};
