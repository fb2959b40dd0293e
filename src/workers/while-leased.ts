import type { Catalog } from "../ports.ts";
import { type LeaseOptions, MONOTONIC, takeLease } from "./lease.ts";

/**
 * Has one node at a time do the work: this one each time that it gets the lease, until the signal aborts. Where nobody
 * else writes to the catalog it is done without one.
 *
 * The work ends soon after its own signal aborts, and its writes go through the catalog that it is given: a node that
 * slept and lost its lease can change nothing when it wakes. What else it does must be harmless when it comes late.
 */
export async function whileLeased(
  options: LeaseOptions & {
    /** Between two tries to get it, in milliseconds. */
    readonly retryInterval?: number;
  },
  work: (catalog: Catalog, signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { catalog, name, observer, retryInterval = 1000, clock = MONOTONIC } = options;
  if (!catalog.shared) return work(catalog, signal);

  observer?.waiting(name);
  while (!signal.aborted) {
    try {
      // It is kept while the work stops, which may take it a moment.
      await using lease = await takeLease(options);
      if (lease !== undefined) await work(lease.catalog, AbortSignal.any([signal, lease.lost]));
    } catch (error) {
      observer?.failed(name, error);
    }
    await clock.wait(retryInterval, signal);
  }
}
