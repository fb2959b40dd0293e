import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import fc from "fast-check";
import { StoreError } from "../../src/domain/errors.ts";
import { createFailureReports } from "../../src/observe/errors.ts";
import { silentLogger } from "../../src/observe/logger.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import { observeLeases } from "../../src/observe/observers.ts";
import type { Catalog } from "../../src/ports.ts";
import { isLeaseLost, whileLeased } from "../../src/workers/lease.ts";
import { openCatalog } from "../adapters/catalog/open-sqlite.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { createSimulatedFleet, type SimulatedNode } from "./simulated-fleet.ts";

/** Of a seed, the same numbers each time (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const atWork = (nodes: readonly SimulatedNode[]) => nodes.filter((node) => node.atWork);

/** Three nodes of which one has begun to work. */
async function fleetAtWork(seed: number) {
  const fleet = createSimulatedFleet(randomOf(seed));
  const nodes = ["a", "b", "c"].map(fleet.createNode);
  await fleet.pass(1000);
  const [holder, ...none] = atWork(nodes);
  expect(none).toEqual([]);
  return { fleet, nodes, holder: holder as SimulatedNode };
}

describe("lease work in a fleet", () => {
  const seeds = Array.from({ length: 8 }, (_, seed) => seed);

  test("stays on the node that has the lease", async () => {
    const { fleet, nodes, holder } = await fleetAtWork(1);
    await fleet.pass(120_000, () => expect(atWork(nodes)).toEqual([holder]));
    expect(holder.told).toEqual(["waiting", "taken"]);
    expect(new Set(fleet.accepted.map(({ token }) => token))).toEqual(new Set([1]));
  });

  test("moves within ten seconds of a node's death", async () => {
    for (const seed of seeds) {
      const { fleet, nodes, holder } = await fleetAtWork(seed);
      await fleet.pass(seed * 531);
      holder.kill();
      await fleet.pass(10_000);
      expect(atWork(nodes)).toHaveLength(1);
      expect(fleet.accepted.at(-1)).toMatchObject({ node: atWork(nodes)[0]?.name, token: 2 });
    }
  });

  test("moves at once from a stopping node, after its work has ended", async () => {
    for (const seed of seeds) {
      const { fleet, nodes, holder } = await fleetAtWork(seed);
      await fleet.pass(seed * 531);
      holder.stop();
      await fleet.pass(1500, () => expect(atWork(nodes).length).toBeLessThanOrEqual(1));
      expect(holder.ended).toBe(true);
      expect(holder.told).toEqual(["waiting", "taken", "released"]);
      expect(atWork(nodes)).toHaveLength(1);
      expect(fleet.refused()).toBe(0);
    }
  });

  test("of a node that was suspended for half a minute changes nothing", async () => {
    for (const seed of seeds) {
      const { fleet, nodes, holder } = await fleetAtWork(seed);
      await fleet.pass(seed * 531);
      holder.pause(30_000);
      await fleet.pass(29_999);
      const [next] = atWork(nodes);
      expect(next).toBeDefined();
      await fleet.pass(5000, () => expect(atWork(nodes)).toEqual([next as SimulatedNode]));
      expect(holder.told).toEqual(["waiting", "taken", "lost"]);
      expect(fleet.accepted.filter(({ token }) => token > 1).every(({ node }) => node === next?.name)).toBe(true);
    }
  });

  test("stops while the catalog is unavailable and resumes after it", async () => {
    for (const seed of seeds) {
      const { fleet, nodes, holder } = await fleetAtWork(seed);
      await fleet.pass(seed * 531);
      fleet.setAway(true);
      await fleet.pass(6100);
      expect(atWork(nodes)).toEqual([]);
      expect(holder.told.at(-1)).toBe("lost");
      await fleet.pass(30_000);
      fleet.setAway(false);
      await fleet.pass(5000);
      expect(atWork(nodes)).toHaveLength(1);
    }
  });

  test("survives a catalog outage shorter than a lease", async () => {
    const { fleet, nodes, holder } = await fleetAtWork(7);
    fleet.setAway(true);
    fleet.schedule(2500, () => fleet.setAway(false));
    await fleet.pass(20_000, () => expect(atWork(nodes)).toEqual([holder]));
  });

  test("never runs on two nodes, and writes of former holders are refused, in any sequence of failures", async () => {
    const event = fc.record({
      after: fc.integer({ min: 0, max: 8000 }),
      node: fc.integer({ min: 0, max: 3 }),
      kind: fc.oneof(
        { weight: 5, arbitrary: fc.constant("pause" as const) },
        { weight: 1, arbitrary: fc.constantFrom("kill" as const, "stop" as const) },
        { weight: 1, arbitrary: fc.constant("away" as const) },
      ),
      length: fc.integer({ min: 1, max: 30_000 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.constantFrom(0, 0.05, 0.2),
        fc.array(event, { maxLength: 12 }),
        async (seed, loss, events) => {
          const fleet = createSimulatedFleet(randomOf(seed), { loss });
          const nodes = ["a", "b", "c", "d"].map(fleet.createNode);
          const look = () => expect(atWork(nodes).length).toBeLessThanOrEqual(1);
          for (const { after, node, kind, length } of events) {
            await fleet.pass(after, look);
            if (kind === "pause") nodes[node]?.pause(length);
            else if (kind === "away") {
              fleet.setAway(true);
              fleet.schedule(Math.min(length, 8000), () => fleet.setAway(false));
            } else if (nodes.filter((other) => other.isUp).length > 1) nodes[node]?.[kind]();
          }
          await fleet.pass(45_000, look);
          if (loss === 0) expect(atWork(nodes)).toHaveLength(1);
          expect(fleet.accepted.length).toBeGreaterThan(0);

          const holders = new Map<number, string>();
          let highest = 0;
          for (const { node, token } of fleet.accepted) {
            expect(token).toBeGreaterThanOrEqual(highest);
            expect(holders.get(token) ?? node).toBe(node);
            holders.set(token, node);
            highest = token;
          }
          for (const node of nodes) node.stop();
          const up = nodes.filter((node) => node.isUp);
          await fleet.pass(15_000, look);
          expect(up.filter((node) => !node.ended)).toEqual([]);
        },
      ),
      { numRuns: Number(process.env["IMAGE_STORE_TEST_LEASE_RUNS"] ?? 40) },
    );
  }, 600_000);
});

test("changes of a lease are logged and counted with their reason", async () => {
  const lines: object[] = [];
  const log = (details: object) => lines.push(details);
  const logger = Object.assign(Object.create(silentLogger) as typeof silentLogger, { info: log, warn: log });
  const metrics = createMetrics();
  const observer = observeLeases(logger, createFailureReports(logger), metrics);
  const held = async () => (await metrics.leaseHeld.get()).values.map(({ value, labels }) => [labels.lease, value]);
  observer.waiting("work");
  expect(await held()).toEqual([["work", 0]]);
  observer.taken("work", 7);
  expect(await held()).toEqual([["work", 1]]);
  observer.lost("work", "why");
  expect(await held()).toEqual([["work", 0]]);
  const error = new StoreError("unavailable", "no answer");
  observer.failed("work", error);
  observer.taken("work", 9);
  observer.released("work");
  expect(await held()).toEqual([["work", 0]]);
  const lease = "work";
  expect(lines).toEqual([
    { lease, token: 7 },
    { lease, reason: "why" },
    { lease, error },
    { lease, failures: 1, seconds: 0 },
    { lease, token: 9 },
    { lease },
  ]);
  expect((await metrics.leaseTakeovers.get()).values).toMatchObject([{ value: 2, labels: { lease } }]);
});

describe("lease work on one catalog", () => {
  let folder: string;
  let catalog: Catalog;
  beforeEach(async () => {
    folder = await newFolder("lease");
    catalog = await openCatalog(join(folder, "catalog.sqlite"));
  });
  afterEach(async () => {
    await catalog[Symbol.asyncDispose]();
    await removeFolder(folder);
  });

  /** As if other nodes wrote to it too. */
  const shared = (more: Partial<Catalog> = {}): Catalog =>
    Object.assign(Object.create(catalog) as Catalog, { shared: true, ...more });
  const brief = { name: "work", life: 5000, renewInterval: 10, retryInterval: 5 };

  test("of a single server starts at once, without a lease or a write", async () => {
    let writes = 0;
    const counting = Object.assign(Object.create(catalog) as Catalog, {
      write: () => {
        writes++;
        throw new Error("nothing is to be written");
      },
    });
    const stop = new AbortController();
    const seen: unknown[] = [];
    const running = whileLeased(
      { ...brief, catalog: counting, holder: "a" },
      async (leased, signal) => {
        seen.push(leased, signal);
      },
      stop.signal,
    );
    expect(seen).toEqual([counting, stop.signal]);
    await running;
    expect(writes).toBe(0);
  });

  test("has its lease renewed and released, and can read", async () => {
    const lines: string[] = [];
    const logger = Object.assign(Object.create(silentLogger) as typeof silentLogger, {
      info: (_: object, line: string) => lines.push(line),
    });
    const metrics = createMetrics();
    const valueOf = async (name: string) =>
      (await metrics.registry.getSingleMetric(`image_store_lease_${name}`)?.get())?.values;
    const stop = new AbortController();
    const running = whileLeased(
      {
        ...brief,
        catalog: shared(),
        holder: "a",
        observer: observeLeases(logger, createFailureReports(logger), metrics),
      },
      async (leased, signal) => {
        expect(leased.storeId).toBe(catalog.storeId);
        expect(await valueOf("held")).toMatchObject([{ value: 1, labels: { lease: "work" } }]);
        await Bun.sleep(40);
        expect(signal.aborted).toBe(false);
        await leased.write({ type: "registerCursor", name: "relay" });
        stop.abort();
        expect(signal.aborted).toBe(true);
        // It is still its own until the work has ended.
        await leased.write({ type: "advanceCursor", name: "relay", seq: 0 });
      },
      stop.signal,
    );
    await running;
    expect((await catalog.cursors()).map(({ name }) => name)).toEqual(["relay"]);
    expect(await valueOf("held")).toMatchObject([{ value: 0 }]);
    expect(await valueOf("takeovers_total")).toMatchObject([{ value: 1 }]);
    expect(lines).toHaveLength(2);
    const next = { type: "acquireLease", name: "work", holder: "b", milliseconds: 1000 } as const;
    expect(await catalog.write(next)).toEqual({ token: 2 });
  });

  test("ends when one of its writes comes too late, and restarts when the lease is free", async () => {
    const stop = new AbortController();
    const told: string[] = [];
    const observer = {
      waiting: () => {},
      taken: () => told.push("taken"),
      lost: (_: string, reason: string) => told.push(reason),
      released: () => told.push("released"),
      failed: (_: string, error: unknown) => told.push(String(error)),
    };
    let turn = 0;
    await whileLeased(
      { ...brief, renewInterval: 2000, catalog: shared(), holder: "a", observer },
      async (leased, signal) => {
        if (turn++ > 0) return stop.abort();
        await catalog.write({ type: "releaseLease", name: "work", holder: "a" });
        await catalog.write({ type: "acquireLease", name: "work", holder: "b", milliseconds: 30 });
        const error = await leased.write({ type: "registerCursor", name: "relay" }).catch((thrown: unknown) => thrown);
        expect(isLeaseLost(error)).toBe(true);
        expect(signal.aborted).toBe(true);
        throw error;
      },
      stop.signal,
    );
    expect(await catalog.cursors()).toEqual([]);
    expect(told).toEqual([
      "taken",
      "another node has taken it",
      "StoreError: Another node holds the lease.",
      "taken",
      "released",
    ]);
  });

  test("ends when a renewal acquires the lease under another token", async () => {
    const stop = new AbortController();
    const aborted = Promise.withResolvers<void>();
    let turn = 0;
    await whileLeased(
      { ...brief, catalog: shared(), holder: "a" },
      async (leased, signal) => {
        if (turn++ > 0) {
          await leased.write({ type: "registerCursor", name: "relay" });
          return stop.abort();
        }
        signal.addEventListener("abort", () => aborted.resolve());
        await catalog.write({ type: "releaseLease", name: "work", holder: "a" });
        await aborted.promise;
      },
      stop.signal,
    );
    expect(await catalog.cursors()).toHaveLength(1);
  });

  test("releases its lease only after a pending renewal, which would acquire it again", async () => {
    const stop = new AbortController();
    const answered: string[] = [];
    const [asked, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const write: Catalog["write"] = async (change) => {
      if (change.type === "acquireLease" && answered.length > 0) {
        asked.resolve();
        await held.promise;
      }
      const result = await catalog.write(change);
      answered.push(change.type);
      return result;
    };
    await whileLeased(
      { ...brief, renewInterval: 50, catalog: shared({ write }), holder: "a" },
      async () => {
        await asked.promise;
        stop.abort();
        setTimeout(held.resolve, 20);
      },
      stop.signal,
    );
    expect(answered).toEqual(["acquireLease", "acquireLease", "releaseLease"]);
  });

  test("gets no lease from an answer that arrives after the lapse, and does not wait for it", async () => {
    const stop = new AbortController();
    let [asked, begun] = [0, false];
    const write: Catalog["write"] = async (change) => {
      const result = await catalog.write(change);
      asked++;
      // A process that slept, one answer that is late, and one that never comes.
      if (asked === 1) Bun.sleepSync(20);
      if (asked === 2) await Bun.sleep(20);
      if (asked === 3) {
        stop.abort();
        await Promise.withResolvers<void>().promise;
      }
      return result;
    };
    await whileLeased(
      { ...brief, life: 10, catalog: shared({ write }), holder: "a" },
      async () => void (begun = true),
      stop.signal,
    );
    expect({ asked, begun }).toEqual({ asked: 3, begun: false });
  });

  test("restarts when it fails or ends", async () => {
    const stop = new AbortController();
    const failed: unknown[] = [];
    const observer = {
      waiting: () => {},
      taken: () => {},
      lost: () => {},
      released: () => {},
      failed: (_: string, error: unknown) => failed.push(error),
    };
    let turn = 0;
    await whileLeased(
      { ...brief, catalog: shared(), holder: "a", observer },
      async () => {
        turn++;
        if (turn === 1) throw new StoreError("unavailable", "the first time");
        if (turn === 3) stop.abort();
      },
      stop.signal,
    );
    expect(turn).toBe(3);
    expect(failed).toEqual([new StoreError("unavailable", "the first time")]);
  });
});
