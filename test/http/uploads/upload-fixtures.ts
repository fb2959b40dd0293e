import { expect } from "bun:test";
import { createHash } from "node:crypto";
import { jsonOf, type TestStore } from "../harness.ts";
import { imageNames, storedBlobs } from "../image-fixtures.ts";

let made = 0;
export const newName = (): string => `image ${++made}.png`;

export const NOT_AN_IMAGE = Buffer.from("no image at all, whatever its name says");

export const eventCount = async (store: TestStore): Promise<number> =>
  (await jsonOf<{ items: unknown[] }>(await store.fetch("/v1/events?limit=1000"))).items.length;

/** @throws when the attempt leaves a record, an event or a byte on the disk */
export async function expectNothingStored(
  store: TestStore,
  album: string,
  attempt: () => Promise<void>,
): Promise<void> {
  const before = {
    files: await storedBlobs(store),
    names: await imageNames(store, album),
    events: await eventCount(store),
  };
  await attempt();
  const after = {
    files: await storedBlobs(store),
    names: await imageNames(store, album),
    events: await eventCount(store),
  };
  expect(after).toEqual(before);
}

export const statusesOf = (answers: readonly Response[]): number[] =>
  answers.map(({ status }) => status).sort((one, other) => one - other);

export const digestOf = (algorithm: "sha-256" | "sha-512", bytes: Uint8Array): string =>
  `${algorithm}=:${createHash(algorithm.replace("-", "")).update(bytes).digest("base64")}:`;

export const md5Of = (bytes: Uint8Array): string => createHash("md5").update(bytes).digest("base64");
