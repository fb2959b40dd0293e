import type { Logger } from "./logger.ts";
import type { Metrics } from "./metrics.ts";

/** Who does what one node at a time does, as log lines and metrics of this node. */
export function observeLeases(logger: Logger, metrics: Pick<Metrics, "leaseHeld" | "leaseTakeovers">) {
  return {
    waiting(lease: string): void {
      metrics.leaseHeld.set({ lease }, 0);
    },
    taken(lease: string, token: number): void {
      metrics.leaseHeld.set({ lease }, 1);
      metrics.leaseTakeovers.inc({ lease });
      logger.info({ lease, token }, "this node has taken a lease and does its work");
    },
    lost(lease: string, reason: string): void {
      metrics.leaseHeld.set({ lease }, 0);
      logger.warn({ lease, reason }, "this node has lost a lease and stops its work");
    },
    released(lease: string): void {
      metrics.leaseHeld.set({ lease }, 0);
      logger.info({ lease }, "this node has given a lease back");
    },
    failed(lease: string, error: unknown): void {
      logger.warn({ lease, error }, "a lease could not be had or its work failed, will be tried again");
    },
  };
}
