import { describe, expect, test } from "bun:test";
import { until } from "../../waiting.ts";
import { type Publish, useRelayedCatalog } from "./relayed-catalog.ts";

const { catalog, createAlbum, withRelay } = useRelayedCatalog();

let names = 0;

const createKey = () => {
  const id = `k${names++}`;
  return catalog().write({ type: "createKey", id, sha256: id, name: id, grants: [], expiresAt: null });
};
const isCaughtUp = async () => (await catalog().cursors()).every(({ lagEvents }) => lagEvents === 0);

describe("events of the audit trail", () => {
  test.each([
    [false, ["imagestore.album.created", "imagestore.album.created"]],
    [
      true,
      [
        "imagestore.key.created",
        "imagestore.album.created",
        "imagestore.key.created",
        "imagestore.album.created",
        "imagestore.key.created",
      ],
    ],
  ])("with audit=%p are relayed accordingly, and are no lag", async (audit, expected) => {
    const published: string[] = [];
    const publish: Publish = async (events) => void published.push(...events.map(({ attributes }) => attributes.type));
    await createKey();
    await createAlbum();
    await createKey();
    await createAlbum();
    await createKey();
    const isDone = async () => published.length === expected.length && (await isCaughtUp());
    const use = async () => {
      await until(isDone);
      expect(published).toEqual(expected);
      // Alone at the end of the log.
      await createKey();
      await until(isCaughtUp);
    };
    await withRelay(publish, use, { audit });
    expect(published.length).toBe(expected.length + (audit ? 1 : 0));
  });

  test("alone in a long log move the cursor on, also in small batches", async () => {
    for (let number = 0; number < 30; number++) await createKey();
    const last = await createAlbum();
    const published: string[] = [];
    const publish: Publish = async (events) =>
      void published.push(...events.map(({ attributes }) => attributes.subject));
    await withRelay(publish, () => until(async () => published.length === 1 && (await isCaughtUp())), { batchSize: 2 });
    expect(published).toEqual([`albums/${last.value.id}`]);
  });
});
