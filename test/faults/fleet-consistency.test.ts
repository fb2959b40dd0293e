import { describe, expect, test } from "bun:test";
import type { CloudEvent } from "../../src/domain/event.ts";
import { decodeRecord } from "../cloud-events.ts";
import { consumeTopic } from "../services/kafka-consumer.ts";
import { dropLateDuplicates, waitForRelay } from "../services/relayed-log.ts";
import { PATIENCE_MS } from "../waiting.ts";
import {
  awaitNumbers,
  holdTransactionOpen,
  makeTransactionsSlow,
  numberEventsAtInsert,
} from "./fleet/catalog-trouble.ts";
import { compareWithLog, type Follower, followByRest, followByStream } from "./fleet/followers.ts";
import { shareFleet } from "./fleet/share-fleet.ts";
import { describeEvent, type Written, write } from "./fleet/writers.ts";
import { readLog } from "./read-store.ts";
import { replay } from "./replay.ts";

const CHANGES = Number(process.env["IMAGE_STORE_TEST_CHANGES"] ?? 5000);
const WRITERS = 64;

const { missing, fleet } = shareFleet({ kafka: true, postgresSettings: { fsync: "off" } }, (started) =>
  makeTransactionsSlow(started.catalogUrl, { milliseconds: 20, rollbacks: 0.1 }),
);

/** Readers at every node, by every way, while the writers write; and what all of them should have read. */
async function writeAndFollow(
  changes: number,
): Promise<{ written: Written; log: CloudEvent[]; followers: Follower[] }> {
  const [one, two, three] = fleet().nodes;
  const followers = await Promise.all([
    followByRest(() => one.url),
    followByRest(() => two.url),
    // From one node to the next at each page.
    followByRest(() => fleet().anyUrl()),
    followByStream(() => two.url),
    followByStream(() => three.url),
  ]);
  const before = (await readLog(three.url)).length;
  const written = await write(() => fleet().anyUrl(), { writers: WRITERS, changes });
  await awaitNumbers(fleet().catalogUrl);
  const log = (await readLog(three.url)).slice(before);
  await Promise.all(followers.map((follower) => caughtUp(follower, log)));
  await Promise.all(followers.map((follower) => follower.stop()));
  return { written, log, followers };
}

async function caughtUp({ events }: Follower, log: readonly CloudEvent[]): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (events.at(-1)?.id !== log.at(-1)?.id && Date.now() < deadline) await Bun.sleep(20);
}

describe.skipIf(missing)(`${WRITERS} concurrent writers on three nodes`, () => {
  test(`readers see all ${CHANGES} changes in one order`, async () => {
    const started = performance.now();
    await using _ = await holdTransactionOpen(await fleet().postgres.createDatabase());
    const { written, log, followers } = await writeAndFollow(CHANGES);
    const seconds = (performance.now() - started) / 1000;
    const problems = [...written.problems];
    expect(log.map(describeEvent).toSorted()).toEqual(written.acknowledged.toSorted());
    replay(log, problems);
    for (const { name, events } of followers) problems.push(...compareWithLog(name, events, log));

    await waitForRelay(fleet().nodes[0], fleet().topic);
    const records = (await consumeTopic(fleet().kafka?.address ?? "", fleet().topic)).map(decodeRecord);
    const received = dropLateDuplicates(records);
    for (const [albumId, events] of Map.groupBy(log, ({ partitionkey }) => partitionkey))
      problems.push(...compareWithLog("Kafka", received.get(albumId) ?? [], events));
    expect(problems).toEqual([]);
    expect(written.refused).toBeGreaterThan(CHANGES / 50);
    const counts = { acknowledged: written.acknowledged.length, rolledBack: written.refused, events: log.length };
    const readers = followers.map(({ name, events }) => `${name} ${events.length}`).join(", ");
    console.log(`${JSON.stringify(counts)} in ${seconds.toFixed(1)} s, ${readers}, Kafka ${records.length}`);
  });

  test("readers lose changes if numbers are drawn at the insert (control)", async () => {
    await using _ = await numberEventsAtInsert(fleet().catalogUrl);
    const { log, followers } = await writeAndFollow(1000);
    const lost = followers.map(({ name, events }) => compareWithLog(name, events, log).join(", "));
    console.log(`a serial column: ${lost.join("; ")}`);
    expect(lost.filter((problem) => problem !== "")).not.toEqual([]);
  });
});
