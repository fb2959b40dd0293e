import type { Catalog } from "../ports.ts";

const HOLD_SECONDS = 60;
const RENEW_EVERY_MS = 20_000;

/** Holds for so many seconds from now, where this thread can't renew it meanwhile. The next renewal shortens it again. */
export type HoldFor = (seconds: number) => Promise<void>;

/** Nothing is destroyed while `work` runs, also by a server. A hold of a process that died lapses by itself. */
export async function whileHeld<Result>(
  catalog: Pick<Catalog, "write">,
  holder: string,
  work: (holdFor: HoldFor) => Promise<Result>,
): Promise<Result> {
  const id = `${holder}-${crypto.randomUUID()}`;
  const holdFor = async (seconds: number) => void (await catalog.write({ type: "hold", id, seconds }));
  await holdFor(HOLD_SECONDS);
  // One that fails is made up for by the next: the hold lasts for three of them.
  const renewal = setInterval(() => void holdFor(HOLD_SECONDS).catch(() => {}), RENEW_EVERY_MS);
  try {
    return await work(holdFor);
  } finally {
    clearInterval(renewal);
    await catalog.write({ type: "releaseHold", id });
  }
}
