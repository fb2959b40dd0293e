import { createHash } from "node:crypto";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { type Client, createClient } from "../../../../client/src/index.ts";
import { pause } from "../../../concurrency/clock.ts";
import { backoff } from "../../../concurrency/retry.ts";
import { seeHelp, UsageError } from "../../arguments.ts";
import type { CliContext } from "../../context.ts";
import { parseStoreUrl, type RemoteCall } from "../connection.ts";
import type { Place } from "../describe-error.ts";
import { applyLog, followLog } from "./events.ts";
import { countOutOfOrder, readTarget, reconcile } from "./reconcile.ts";
import { createReport, type Report } from "./report.ts";
import { isGap, isPassing, type MirrorRun } from "./run.ts";
import { type MirrorState, openState } from "./state.ts";
import type { MirrorTarget } from "./target.ts";
import { configOfFolder, openTargetFolder } from "./target-folder.ts";
import { describeSide, isOfTarget, placeAtTarget, tellOfTarget } from "./target-place.ts";
import { createTargetStore, identityOf } from "./target-store.ts";

const BACKOFF = { minBackoff: 250, maxBackoff: 30_000 };

/** Copies a store to another store or to a data folder, and follows it. */
export async function mirror(call: RemoteCall): Promise<number> {
  try {
    return await copy(call);
  } catch (error) {
    throw isOfTarget(error) ? new Error(describeSide(error, call), { cause: error }) : error;
  }
}

async function copy(call: RemoteCall): Promise<number> {
  const { client: source, text, has, context } = call;
  const to = text("to");
  if (to === undefined || to === "") throw new UsageError(`"mirror" needs --to DIR or --to URL. ${seeHelp("mirror")}`);
  const broken = new AbortController();
  const signal = AbortSignal.any([call.signal, broken.signal]);
  const report = createReport(call);
  await using target = await openTarget(call, to, {
    signal,
    onFatal: (error) => broken.abort(error),
    onFailure: (error) => report.waiting(`Work in the background of the target failed: ${describeSide(error, call)}`),
  });
  using state: MirrorState = await openState(text("state") ?? statePath(context.env, call.url, to));
  const run: MirrorRun = { source, target, state, report, signal };
  {
    using _ = report.start();
    const repeat = (task: () => Promise<void>) => untilDone(call, run, report, task);
    await repeat(() => begin(run, has("overwrite")));
    await repeat(() => (has("verify") ? verify(run, report) : copyAndFollow(run, report, has("once"))));
  }
  if (broken.signal.aborted) throw broken.signal.reason;
  return report.finish(state.counts());
}

const isUrl = (to: string): boolean => /^https?:\/\//i.test(to);

async function openTarget(
  call: RemoteCall,
  to: string,
  options: {
    readonly signal: AbortSignal;
    readonly onFatal: (error: Error) => void;
    readonly onFailure: (error: unknown) => void;
  },
): Promise<MirrorTarget> {
  const { context, text } = call;
  if (!isUrl(to)) return openTargetFolder(configOfFolder(resolve(to), context), options);
  const url = parseStoreUrl(to, "mirror");
  if (url === call.url) throw new UsageError(`The source and the target are the same store. ${seeHelp("mirror")}`);
  const key = text("to-key") ?? context.env["IMAGE_STORE_TO_KEY"];
  const client = createClient({ url, key });
  const place = { url, key, advice: OF_TARGET };
  await requireAccess(client, place, options.signal);
  return tellOfTarget(createTargetStore(client, options.signal), place);
}

const OF_TARGET = { url: "Set the URL with --to.", key: "Give a key with --to-key or IMAGE_STORE_TO_KEY." };

async function requireAccess(client: Client, place: Place, signal: AbortSignal): Promise<void> {
  try {
    await client.send("GET", "/v1/albums", { query: { pageSize: 1 }, signal });
  } catch (error) {
    if (isPassing(error)) return;
    placeAtTarget(error, place);
    throw error;
  }
}

/** In the data folder itself, or where the user's programs keep what they must not lose. */
function statePath(env: CliContext["env"], from: string, to: string): string {
  if (!isUrl(to)) return join(resolve(to), "mirror.sqlite");
  const folder = env["XDG_STATE_HOME"] || join(env["HOME"] || homedir(), ".local", "state");
  const name = createHash("sha256").update(`${from}\n${to}`).digest("hex").slice(0, 32);
  return join(folder, "image-store", "mirrors", `${name}.sqlite`);
}

/** Runs the task again after what passes by itself, and from the listings after a gap in the log. */
async function untilDone(
  call: RemoteCall,
  { state, signal }: MirrorRun,
  report: Report,
  task: () => Promise<void>,
): Promise<void> {
  let before: string | undefined;
  for (let failures = 0; ; failures += 1) {
    try {
      return await task();
    } catch (error) {
      signal.throwIfAborted();
      if (isGap(error)) {
        report.waiting("The log of the source no longer has the next events: comparing all records.");
        state.setCursor(undefined);
      } else if (!isPassing(error)) throw error;
      else report.waiting(`${describeSide(error, call)} Trying again.`);
      if (state.cursor() !== before) failures = 0;
      before = state.cursor();
      await pause(backoff(BACKOFF, failures), signal);
      signal.throwIfAborted();
    }
  }
}

/** @throws Error if the target has something else, or is the source, or the source is another store than before */
async function begin({ source, target, state, signal }: MirrorRun, overwrites: boolean): Promise<void> {
  const identity = await identityOf(source, signal);
  if (identity !== undefined && identity === (await target.identity()))
    throw new Error("The source and the target are the same store.");
  const id = identity?.split(" ", 1)[0];
  if (id !== undefined && state.source(id) !== id) {
    if (!overwrites)
      throw new Error(
        "The source is another store than the one that this mirror began with. With --overwrite, the target becomes like this one.",
      );
    state.forgetSource();
    state.source(id);
    state.setCursor(undefined);
  }
  if (state.isBegun()) return;
  if (!overwrites)
    for await (const { name } of target.albums())
      throw new Error(
        `The target is not empty: it has the album ${name}. With --overwrite, what the source does not have is deleted there.`,
      );
  state.begin();
}

async function copyAndFollow(run: MirrorRun, report: Report, isOnce: boolean): Promise<void> {
  const { state } = run;
  // A name that the state has for one record may be that of another by now.
  if (state.cursor() !== undefined && !state.isClean()) {
    await readTarget(run);
    if (state.hasLeftovers()) state.setCursor(undefined);
  }
  state.setClean(false);
  if (state.cursor() === undefined) await reconcile(run, { bytes: false, onSource: (found) => report.expect(found) });
  report.copied();
  const from = state.cursor() as string;
  if (isOnce) await applyLog(run, from, (cursor) => state.setCursor(cursor));
  else
    await followLog(run, {
      onApplied: (seconds, events) => report.applied(seconds, events),
      onIdle: () => report.idle(),
      onConnectionLost: () => report.waiting("The connection to the source was lost: connecting again."),
    });
  state.setClean(true);
}

/** What has changed since the last run is no difference. */
async function verify(run: MirrorRun, report: Report): Promise<void> {
  const { state } = run;
  const from = state.cursor();
  if (from !== undefined) await report.quietly(() => applyLog(run, from, (cursor) => state.setCursor(cursor)));
  await reconcile(run, { bytes: true, onSource: (found) => report.expect(found) });
  const count = await countOutOfOrder(run);
  if (count > 0) report.changed("image", "order", `${count} images`);
}
