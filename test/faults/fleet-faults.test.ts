import { describe, expect, test } from "bun:test";
import { setTimeout as sleep } from "node:timers/promises";
import { decodeRecord } from "../cloud-events.ts";
import { consumeTopic } from "../services/kafka-consumer.ts";
import { dropLateDuplicates, waitForRelay } from "../services/relayed-log.ts";
import { awaitTombstones, landLate } from "./fleet/bucket.ts";
import { type CutPoint, createCommitCutter } from "./fleet/commit-cutter.ts";
import type { FleetNode } from "./fleet/fleet.ts";
import { compareWithLog } from "./fleet/followers.ts";
import { holderOf } from "./fleet/leases.ts";
import { shareFleet } from "./fleet/share-fleet.ts";
import { strikeUnderLoad } from "./fleet/under-load.ts";
import { createLedger } from "./ledger.ts";
import { readLog } from "./read-store.ts";
import { testCycles } from "./requirements.ts";
import { verify } from "./verify.ts";

const CYCLES = testCycles(1);
/** Short, so that what is held up for longer than that is so in seconds. */
const GRACE_SECONDS = 8;
/** Longer than a lease lives, and than the grace. */
const SLEEP_SECONDS = CYCLES > 1 ? 30 : 15;

const cutter = createCommitCutter();
const ledger = createLedger();
const { missing, fleet } = shareFleet({
  kafka: true,
  proxies: { onPostgresData: cutter.onPostgresData },
  env: { IMAGE_STORE_GRACE: `${GRACE_SECONDS}s` },
});

/** Once each cycle, with what was promised so far looked at again each time. */
async function strike(name: string, fault: (cycle: number) => Promise<string>): Promise<void> {
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    const before = { ...ledger.counts };
    const pids = new Map(fleet().nodes.map((node) => [node, node.pid]));
    const started = performance.now();
    let told = "";
    const problems = await strikeUnderLoad(fleet(), ledger, async () => {
      told = await fault(cycle);
    });
    const restarted = fleet().nodes.filter((node) => node.pid !== pids.get(node) && !killed.delete(node));
    expect({ problems, restarted }).toEqual({ problems: [], restarted: [] });
    const { acknowledged, failed, unanswered } = ledger.counts;
    const counts = {
      acknowledged: acknowledged - before.acknowledged,
      failed: failed - before.failed,
      unanswered: unanswered - before.unanswered,
      events: ledger.events.size,
    };
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(`${name}: ${told}${told && ", "}${JSON.stringify(counts)}, ${seconds} s`);
  }
}

/** Those that a test has killed since it was looked at last. */
const killed = new Set<FleetNode>();

async function kill(node: FleetNode): Promise<void> {
  killed.add(node);
  await node.kill();
}

/** Seconds until another node than `node` does the work. */
async function takeOver(node: FleetNode, lease: string): Promise<string> {
  const started = performance.now();
  while ((await holderOf(fleet(), lease)) === node) await sleep(50);
  return `taken over within ${((performance.now() - started) / 1000).toFixed(1)} s`;
}

const relay = () => `relay/${fleet().topic}`;

describe.skipIf(missing)("three nodes under load survive", () => {
  test("a kill of any node", () =>
    strike("kill -9 of a node", async (cycle) => {
      const node = fleet().nodes[cycle % fleet().nodes.length] as FleetNode;
      await kill(node);
      await sleep(1000);
      await node.start();
      return "";
    }));

  test("a kill of the node with a lease", () =>
    strike("kill -9 of a holder", async (cycle) => {
      const lease = cycle % 2 === 0 ? relay() : "sweep";
      const holder = await holderOf(fleet(), lease);
      await kill(holder);
      const told = await takeOver(holder, lease);
      await holder.start();
      return told;
    }));

  test("a pause of the node with the leases that is longer than a lease", () =>
    strike("SIGSTOP of the holder", async () => {
      const holder = await holderOf(fleet(), relay());
      holder.suspend();
      try {
        const [told] = await Promise.all([takeOver(holder, relay()), sleep(SLEEP_SECONDS * 1000)]);
        return told;
      } finally {
        holder.wake();
      }
    }));

  test("a restart and a kill of PostgreSQL", () =>
    strike("PostgreSQL", async () => {
      await fleet().postgres.restart();
      await sleep(1000);
      await fleet().postgres.kill();
      await sleep(1000);
      await fleet().postgres.start();
      return "";
    }));

  test.each<CutPoint>(["before", "after"])("connections that close %s the commit", (point) =>
    strike(`cut ${point} the commit`, async () => {
      const cuts = cutter.cuts[point];
      const { replayed } = ledger;
      // A client has learnt from its key that what it had no answer to was done.
      const hasReplayed = () => point === "before" || ledger.replayed > replayed;
      cutter.start(point);
      while (cutter.cuts[point] < cuts + 15 || !hasReplayed()) await sleep(20);
      cutter.stop();
      return `${cutter.cuts[point] - cuts} cuts, ${ledger.replayed - replayed} replayed`;
    }),
  );

  test("uploads that are delayed on their way to S3 for longer than the grace period", () =>
    strike("PUT held back", async (cycle) => {
      const { toS3 } = fleet().nodes[cycle % fleet().nodes.length] as FleetNode;
      toS3?.pause();
      await sleep(1.5 * GRACE_SECONDS * 1000);
      toS3?.resume();
      return "";
    }));

  test("60 s without Kafka, and 30 s of them without S3", () =>
    strike("Kafka and S3 away", async (cycle) => {
      await fleet().kafka?.kill();
      await sleep(15_000);
      const ways = fleet().nodes.flatMap(({ toS3 }) => toS3 ?? []);
      // Nobody there; and somebody who does not answer. It is not killed, since what a server leaves then is not ours:
      // S3Proxy lists the temporary files of what it was writing as objects.
      for (const way of ways) {
        if (cycle % 2 === 1) way.pause();
        else {
          way.refuse();
          way.cut();
        }
      }
      await sleep(30_000);
      for (const way of ways) {
        if (cycle % 2 === 1) way.resume();
        else await way.accept();
      }
      await sleep(15_000);
      await fleet().kafka?.start();
      return "";
    }));

  test("all of that with every event in Kafka in order and no unrecorded object", async () => {
    const late = await landLate(fleet());
    const objects = await awaitTombstones(fleet());
    expect(await verify(fleet().anyUrl(), ledger, fleet().options)).toEqual([]);

    await waitForRelay(fleet().nodes[0], fleet().topic);
    const log = await readLog(fleet().nodes[0].url);
    const records = (await consumeTopic(fleet().kafka?.address ?? "", fleet().topic)).map(decodeRecord);
    const received = dropLateDuplicates(records);
    const problems: string[] = [];
    for (const [albumId, events] of Map.groupBy(log, ({ partitionkey }) => partitionkey))
      problems.push(...compareWithLog("Kafka", received.get(albumId) ?? [], events));
    expect(problems).toEqual([]);
    const counts = { events: log.length, records: records.length, objects, landedLate: late };
    console.log(`In the end: ${JSON.stringify({ ...ledger.counts, ...counts })}`);
    expect(late).toBeGreaterThan(0);
  });
});
