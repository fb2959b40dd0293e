import { createRemembered } from "../concurrency/memo.ts";
import { within } from "../concurrency/timeout.ts";
import { StoreError } from "../domain/errors.ts";
import type { BlobStore, Catalog } from "../ports.ts";

/** A request without a key may ask for them as often as it likes: each is made at most once a second. */
export interface Probes {
  readonly catalog: Pick<Catalog, "probe">;
  readonly blobs: Pick<BlobStore, "probe">;
}

export const createProbes = ({ catalog, blobs }: Probes): Probes => ({
  catalog: { probe: createRemembered(() => catalog.probe()) },
  blobs: { probe: createRemembered(() => blobs.probe()) },
});

export interface ReadinessDeps {
  readonly probes: Probes;
  /** Milliseconds after which a part that has not answered counts as failed. Default: 2,000. */
  readonly patience?: number;
}

/** What of the store works; `disk` is whether there is room for uploads. */
export interface Readiness {
  readonly catalog: "ok";
  readonly blobs: "ok";
  readonly disk: "ok";
}

type Check = "ok" | "failed";

/**
 * Whether requests would succeed now: the catalog takes changes, blobs can be written and there is room for them.
 * @throws StoreError `unavailable` with the member `checks`, which says what failed
 */
export async function readiness(needs: ReadinessDeps): Promise<Readiness> {
  const {
    probes: { catalog, blobs },
    patience = 2000,
  } = needs;
  const [changes, bytes] = await Promise.allSettled([
    within(patience, catalog.probe()),
    within(patience, blobs.probe()),
  ]);
  const full = bytes.status === "rejected" && isInsufficientStorage(bytes.reason);
  const checks = {
    catalog: check(changes.status === "fulfilled"),
    blobs: check(bytes.status === "fulfilled" || full),
    disk: check(!full),
  };
  const failed = Object.entries(checks).filter(([, outcome]) => outcome === "failed");
  if (failed.length > 0) {
    const reasons = [changes, bytes].flatMap((result) =>
      result.status === "rejected" ? [result.reason as unknown] : [],
    );
    throw new StoreError("unavailable", `Not ready: ${failed.map(([name]) => name).join(", ")}.`, {
      members: { checks },
      ...(reasons.length === 0 ? {} : { cause: new AggregateError(reasons) }),
    });
  }
  return { catalog: "ok", blobs: "ok", disk: "ok" };
}

const isInsufficientStorage = (error: unknown): boolean =>
  error instanceof StoreError && error.code === "insufficient_storage";

const check = (passed: boolean): Check => (passed ? "ok" : "failed");
