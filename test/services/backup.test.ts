import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../src/cli/run.ts";
import { decodeRecord } from "../cloud-events.ts";
import { startStore, type TestStore } from "../http/harness.ts";
import { newAlbum, newImage } from "../http/image-fixtures.ts";
import { openDatabaseFile } from "../open-database-file.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { type KafkaBroker, kafkaIsMissing, startKafka } from "./kafka-broker.ts";
import { consumeTopic } from "./kafka-consumer.ts";
import { dropLateDuplicates, readLog, waitForRelay } from "./relayed-log.ts";

const ALBUMS = 6;

let kafka: KafkaBroker;
let home: string;
const missing = kafkaIsMissing();
beforeAll(async () => {
  home = await newFolder("backup");
  if (!missing) kafka = await startKafka();
});
afterAll(async () => {
  if (!missing) await kafka[Symbol.asyncDispose]();
  await removeFolder(home);
});

async function runCli(dataFolder: string, ...argv: string[]): Promise<void> {
  let output = "";
  const print = (text: string) => void (output += text);
  const env = { IMAGE_STORE_DATA: dataFolder, IMAGE_STORE_MIN_FREE: "0" };
  const context = { argv, env, isTerminal: false, out: print, err: print, readFile: () => "" };
  expect({ code: await run({ ...context, onStop: () => () => {} }), output }).toMatchObject({ code: 0 });
}

/** Some changes of every kind in each album. */
async function change(store: TestStore, albums: readonly string[], round: string): Promise<void> {
  await Promise.all(
    albums.map(async (album) => {
      for (const name of ["one", "two"]) await newImage(store, album, `${name} ${round}`);
      await store.fetch(`${album}/images/${encodeURIComponent(`one ${round}`)}`, { method: "DELETE" });
      await store.send("PATCH", album, { title: round }, { "Content-Type": "application/merge-patch+json" });
    }),
  );
}

/** Of the one cursor that the backup has, and of its log. */
async function positionsIn(backup: string): Promise<{ cursor: number; head: number }> {
  const name = (await readdir(backup)).find((file) => file.startsWith("catalog-")) ?? "";
  const database = openDatabaseFile(join(backup, name), { readonly: true });
  const row = database.query("select cursors.seq as cursor, head from cursors, log_state").get();
  database.close();
  return row as { cursor: number; head: number };
}

const epochOf = (sequence: string): string => sequence.slice(0, 8);

describe.skipIf(missing)("a restored store with Kafka", () => {
  test("resumes at the relay's cursor, and a consumer that follows the documented rule misses nothing", async () => {
    const topic = `image-store-test-${crypto.randomUUID()}`;
    const settings = { KAFKA_URL: `kafka://${kafka.address}/${topic}` };
    const [backup, restored] = [join(home, "backup"), join(home, "restored")];
    let albums: readonly string[];
    {
      await using store = await startStore(settings);
      albums = await Promise.all(Array.from({ length: ALBUMS }, () => newAlbum(store)));
      await change(store, albums, "relayed");
      await waitForRelay(store, topic);
      await kafka.kill();
      await change(store, albums, "not relayed");
      await runCli(store.dataFolder, "backup", backup);
      await kafka.start();
      await change(store, albums, "lost with the store");
      await waitForRelay(store, topic);
    }

    await runCli(restored, "restore", backup);
    await using store = await startStore({ ...settings, DATA: restored });
    await change(store, albums, "restored");
    await waitForRelay(store, topic);

    const log = await readLog(store);
    const records = (await consumeTopic(kafka.address, topic)).map(decodeRecord);
    const received = dropLateDuplicates(records);
    for (const [albumId, events] of Map.groupBy(log, ({ partitionkey }) => partitionkey)) {
      const ids = new Set(events.map(({ id }) => id));
      const known = (received.get(albumId) ?? []).filter(({ id }) => ids.has(id));
      // What was relayed before and came again counts once, as `id` tells.
      expect([...new Set(known.map(({ id }) => id))]).toEqual(events.map(({ id }) => id));
      expect(received.get(albumId)?.at(-1)).toEqual(events.at(-1) as (typeof events)[number]);
    }

    const { cursor, head } = await positionsIn(backup);
    expect(cursor).toBeLessThan(head);
    const epoch = epochOf(log[0]?.sequence ?? "");
    const again = records.filter(({ sequence }) => epochOf(sequence) === epoch);
    expect(records.every(({ sequence }) => epochOf(sequence) <= epoch)).toBe(true);
    expect(new Set(again.map(({ id }) => id)).size).toBe(log.length - cursor);
  });
});
