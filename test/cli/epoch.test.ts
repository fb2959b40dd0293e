import { afterEach, beforeEach, expect, test } from "bun:test";
import { join } from "node:path";
import type { SerializedCloudEvent } from "../../src/domain/event.ts";
import type { Publisher } from "../../src/ports.ts";
import { jsonOf, startStore, type TestStore } from "../http/harness.ts";
import { codeOf, newAlbum } from "../http/image-fixtures.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { FINE, runCli } from "./run-cli.ts";

let folder: string;
beforeEach(async () => {
  folder = await newFolder("epoch");
});
afterEach(() => removeFolder(folder));

interface EventList {
  readonly items: readonly { readonly id: string; readonly sequence: string }[];
  readonly nextCursor: string;
}
const eventsOf = async (store: TestStore) => jsonOf<EventList>(await store.fetch("/v1/events"));

/** Keeps what it was given, as Kafka would. */
function createPublisher() {
  const published: SerializedCloudEvent[] = [];
  const publisher: Publisher = {
    topic: "events",
    publish: async (events) => void published.push(...events),
    [Symbol.asyncDispose]: async () => {},
  };
  return { published, publisher };
}

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await Bun.sleep(5);
};

test("epoch --renew: client cursors are refused, the relay continues, and sequences grow", async () => {
  const { published, publisher } = createPublisher();
  let before: EventList;
  {
    await using store = await startStore({ DATA: folder }, { publisher });
    await newAlbum(store);
    await newAlbum(store);
    await until(() => published.length === 2);
    before = await eventsOf(store);
    const { watermark } = await jsonOf<{ watermark: string }>(await store.fetch("/v1/albums"));
    expect(watermark).toBe(before.nextCursor);
    await store.openCatalog().then(async (catalog) => {
      while ((await catalog.cursors())[0]?.lagEvents !== 0) await Bun.sleep(5);
      await catalog[Symbol.asyncDispose]();
    });
  }
  const first = await runCli(["epoch"], folder);
  expect(first).toEqual({ ...FINE, out: expect.stringMatching(/^\d{8}\n$/) });
  const renewed = await runCli(["epoch", "--renew"], folder);
  expect(renewed).toEqual({ ...FINE, out: expect.stringMatching(/^\d{8}\n$/) });
  expect(Number(renewed.out)).toBeGreaterThan(Number(first.out));
  const again = await runCli(["epoch", "--renew"], folder);
  expect(Number(again.out)).toBeGreaterThan(Number(renewed.out));
  expect((await runCli(["epoch"], folder)).out).toBe(again.out);

  await using store = await startStore({ DATA: folder }, { publisher });
  const answer = await store.fetch(`/v1/events?after=${before.nextCursor}`);
  expect({ status: answer.status, code: await codeOf(answer) }).toEqual({ status: 410, code: "cursor_unknown" });
  await newAlbum(store);
  await until(() => published.length >= 3);
  const after = await eventsOf(store);
  expect(published.map(({ attributes }) => attributes.id)).toEqual(after.items.map(({ id }) => id));
  const sequences = published.map(({ attributes }) => attributes.sequence);
  expect(sequences).toEqual(sequences.toSorted());
  expect(sequences[2]?.slice(0, 8)).toBe(again.out.trim());
});

test("epoch --renew is refused beside a server and without a store", async () => {
  {
    await using _ = await startStore({ DATA: folder });
    const before = await runCli(["epoch"], folder);
    const { code, out, err } = await runCli(["epoch", "--renew"], folder);
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toContain("Another server uses this folder");
    expect(await runCli(["epoch"], folder)).toEqual(before);
  }
  const nowhere = join(folder, "nowhere");
  expect(await runCli(["epoch", "--renew"], nowhere)).toMatchObject({ code: 1, out: "" });
  expect(await Bun.file(join(nowhere, "catalog.sqlite")).exists()).toBe(false);
});
