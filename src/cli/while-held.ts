import type { Catalog } from "../ports.ts";

const HOLD_SECONDS = 60;
const RENEW_EVERY_MS = 20_000;

/** Nothing is destroyed while `work` runs, also by a server. A hold of a process that died lapses by itself. */
export async function whileHeld<Result>(
  catalog: Pick<Catalog, "write">,
  holder: string,
  work: () => Promise<Result>,
): Promise<Result> {
  const id = `${holder}-${crypto.randomUUID()}`;
  const hold = async () => void (await catalog.write({ type: "hold", id, seconds: HOLD_SECONDS }));
  await hold();
  // One that fails is made up for by the next: the hold lasts for three of them.
  const renewal = setInterval(() => void hold().catch(() => {}), RENEW_EVERY_MS);
  try {
    return await work();
  } finally {
    clearInterval(renewal);
    // Where that fails it lapses, and says nothing of the work: that it is done, or why it failed, is to be told.
    await catalog.write({ type: "releaseHold", id }).catch(() => {});
  }
}
