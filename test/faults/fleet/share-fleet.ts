import { afterAll, beforeAll } from "bun:test";
import { removeLeftovers, removeTemporaryFolders } from "../temporary-folder.ts";
import { type Fleet, type FleetOptions, fleetIsMissing, startFleet } from "./fleet.ts";

/**
 * One fleet for all tests of a file, where the machine has what it needs.
 * @param prepare runs before the first test
 */
export function shareFleet(options: FleetOptions = {}, prepare?: (fleet: Fleet) => Promise<unknown>) {
  const missing = fleetIsMissing();
  let fleet: Fleet | undefined;
  beforeAll(async () => {
    removeLeftovers();
    if (missing) return;
    fleet = await startFleet(options);
    await prepare?.(fleet);
  });
  afterAll(async () => {
    await fleet?.[Symbol.asyncDispose]();
    removeTemporaryFolders();
  });
  return {
    missing,
    fleet: (): Fleet => {
      if (fleet === undefined) throw new Error("The fleet runs in tests only.");
      return fleet;
    },
  };
}
