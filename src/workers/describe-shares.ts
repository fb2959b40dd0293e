import type { Catalog } from "../ports.ts";
import { type LeaseOptions, whileLeased } from "./lease.ts";

/** The images are divided by the last digit of their ids, which is random. */
const SHARES = ["0123", "4567", "89ab", "cdef"].map((digits) => digits.split(""));
/** Milliseconds after which a node gives a share back, and between the requests of a node that has none. */
const TERM = 600_000;
const TURN = 1000;

export type DescribeShare = (
  catalog: Catalog,
  share: readonly string[] | undefined,
  signal: AbortSignal,
) => Promise<void>;

/**
 * Divides the images to describe among the nodes that share a catalog. Each share has a lease. The more shares a node
 * holds, the less often it asks for another; it gives each back after a while, so that new nodes get theirs. A single
 * process describes all images.
 */
export async function runDescribeShares(
  options: Omit<LeaseOptions, "name">,
  work: DescribeShare,
  signal: AbortSignal,
): Promise<void> {
  if (!options.catalog.shared) return work(options.catalog, undefined, signal);
  let held = 0;
  const workOn = async (share: readonly string[], catalog: Catalog, until: AbortSignal): Promise<void> => {
    held++;
    try {
      await work(catalog, share, AbortSignal.any([until, AbortSignal.timeout(TERM)]));
    } finally {
      held--;
    }
  };
  await Promise.all(
    SHARES.map((share, index) =>
      whileLeased(
        { ...options, name: `describe/${index}`, retryInterval: () => TURN * (1 + held) },
        (catalog, until) => workOn(share, catalog, until),
        signal,
      ),
    ),
  );
}
