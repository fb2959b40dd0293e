import { describe, expect, test } from "bun:test";
import type { Album } from "../../src/domain/album.ts";
import type { Image } from "../../src/domain/image.ts";
import { applyOperation, EMPTY_WORLD } from "./fleet/album-world.ts";
import { awaitNumbers } from "./fleet/catalog-trouble.ts";
import { runRace } from "./fleet/race.ts";
import { PICTURES, RACE_KINDS } from "./fleet/race-kinds.ts";
import { hasSerialOrder } from "./fleet/serial-order.ts";
import { shareFleet } from "./fleet/share-fleet.ts";
import { createLedger } from "./ledger.ts";
import { listAll, readLog } from "./read-store.ts";
import { verifyRecords } from "./verify.ts";

const TRIES = Number(process.env["IMAGE_STORE_TEST_TRIES"] ?? 600);
/** Races on names of their own, side by side. */
const LANES = 4;

const { missing, fleet } = shareFleet({ postgresSettings: { fsync: "off" } });

describe("the serialisability checker", () => {
  const operations = [{ kind: "createAlbum" }, { kind: "createImage", sha256: "aa" }, { kind: "deleteImage" }] as const;
  const judge = (answers: readonly string[], end: (image: boolean) => boolean, from = [0, 10, 10]) =>
    hasSerialOrder(
      operations.map((operation, index) => ({
        operation,
        answer: answers[index] ?? "",
        from: from[index] ?? 0,
        until: 9 + (from[index] ?? 0),
      })),
      EMPTY_WORLD,
      applyOperation,
      ({ image }) => end(image !== undefined),
    );
  const created = "201 image 1 in 0: aa revision 1";

  test("finds the order that explains all answers", () => {
    expect(judge(["201 album 0", created, "204"], (isThere) => !isThere)).toBe(true);
    expect(judge(["201 album 0", created, "404 image_not_found"], (isThere) => isThere)).toBe(true);
  });

  test("rejects answers or a final state that no order explains", () => {
    expect(judge(["201 album 0", created, "204"], (isThere) => isThere)).toBe(false);
    expect(judge(["201 album 0", "409 image_exists", "404 image_not_found"], () => true)).toBe(false);
    // The deletion was sent after the upload had its answer.
    expect(judge(["201 album 0", created, "404 image_not_found"], () => true, [0, 10, 20])).toBe(false);
  });
});

describe.skipIf(missing)("races between two nodes", () => {
  test(`have an order that explains every answer, and no record without bytes, ${TRIES} times`, async () => {
    const started = performance.now();
    const kinds = Object.entries(RACE_KINDS);
    const created: string[] = [];
    const problems: string[] = [];
    const statuses = new Map<string, number>();
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < TRIES && problems.length < 5) {
        const index = next++;
        const [name, kind] = kinds[index % kinds.length] ?? [];
        const [one, other, judge] = rotated(
          fleet().nodes.map(({ url }) => url),
          index,
        );
        if (kind === undefined || one === undefined || other === undefined || judge === undefined) return;
        const report = await runRace(kind([one, other], judge), `race-${index}`, PICTURES);
        if (report.problem !== undefined) problems.push(`${name}: ${report.problem}`);
        created.push(...report.created);
        for (const answer of report.answers) {
          const status = answer.endsWith("replayed") ? "replayed" : answer.slice(0, 3);
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
        }
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    const seconds = (performance.now() - started) / 1000;
    expect(problems).toEqual([]);

    await awaitNumbers(fleet().catalogUrl);
    const [{ url }] = fleet().nodes;
    const events = await readLog(url);
    const createdByLog = events.filter(({ type }) => type === "imagestore.image.created").map(({ data }) => data.id);
    expect(createdByLog.toSorted()).toEqual(created.toSorted());
    const albums = await listAll<Album>(`${url}/v1/albums`);
    const images = await listAll<Image>(`${url}/v1/images`);
    await verifyRecords(url, albums, images, createLedger(), problems);
    expect(problems).toEqual([]);
    expect(statuses.get("replayed")).toBeGreaterThan(0);
    const counts = JSON.stringify(
      Object.fromEntries([...statuses].toSorted(([one], [other]) => (one < other ? -1 : 1))),
    );
    console.log(`${next} races in ${seconds.toFixed(1)} s: answers ${counts}, ${events.length} events`);
  });
});

const rotated = <Item>(items: readonly Item[], by: number): Item[] =>
  items.map((_, index) => items[(index + by) % items.length] as Item);
