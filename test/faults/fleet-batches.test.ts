import { describe, expect, test } from "bun:test";
import { openPostgresCatalog } from "../../src/adapters/catalog/postgres.ts";
import type { CloudEvent } from "../../src/domain/event.ts";
import type { Image } from "../../src/domain/image.ts";
import { awaitNumbers } from "./fleet/catalog-trouble.ts";
import type { Fleet } from "./fleet/fleet.ts";
import { shareFleet } from "./fleet/share-fleet.ts";
import { pick, shuffled } from "./random.ts";
import { randomImage } from "./random-image.ts";
import { readLog } from "./read-store.ts";

const ALBUMS = ["a", "b", "c", "d", "e"];
const IMAGES = 8;
const CLIENTS = 9;
const BATCHES = Number(process.env["IMAGE_STORE_TEST_BATCHES"] ?? 25);

const { missing, fleet } = shareFleet({ postgresSettings: { fsync: "off" }, env: { IMAGE_STORE_DESCRIBE: "false" } });

const imageNames = Array.from({ length: IMAGES }, (_, index) => `${index}`);

interface Batch {
  readonly token: string;
  readonly atomic: boolean;
  readonly operations: readonly object[];
  readonly fails: boolean;
}

/** Gives all images of some albums one title, in an order of its own, and makes an album that it deletes again. */
function newBatch(token: string): Batch {
  const albums = shuffled(ALBUMS).slice(0, 1 + Math.floor(Math.random() * 3));
  const titles = albums.flatMap((album) =>
    shuffled(imageNames).map((image) => ({ type: "updateImage", album, image, body: { title: token } })),
  );
  const fails = Math.random() < 0.3;
  const operations = [
    { type: "createAlbum", body: { name: token } },
    ...titles,
    { type: "updateAlbum", album: pick(ALBUMS), body: { title: token } },
    // A name for which batches of all nodes race.
    { type: "putAlbum", album: "shared", body: { title: token } },
    ...(fails ? [{ type: "deleteImage", album: pick(albums), image: "none" }] : []),
    { type: "deleteAlbum", album: token },
  ];
  return { token, atomic: true, operations, fails };
}

/** Exchanges an image between two albums, so the number of images in each stays the same. */
function newExchange(token: string): Batch {
  const [one = "x", other = "y"] = shuffled(["x", "y", "z"]);
  const [first, second] = [pick(imageNames), pick(imageNames)];
  const operations = [
    { type: "moveImage", album: one, image: first, body: { album: other, name: token } },
    { type: "moveImage", album: other, image: second, body: { album: one, name: first } },
    { type: "moveImage", album: other, image: token, body: { album: other, name: second } },
  ];
  return { token, atomic: true, operations, fails: false };
}

interface Answer extends Batch {
  readonly status: number;
  readonly failed: number | undefined;
}

async function send(url: string, batch: Batch): Promise<Answer> {
  for (;;) {
    const response = await fetch(`${url}/v1/batches`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "Idempotency-Key": batch.token },
      body: JSON.stringify({ atomic: batch.atomic, operations: batch.operations }),
    });
    const { operation } = (await response.json()) as { operation?: number };
    if (response.status !== 503) return { ...batch, status: response.status, failed: operation };
    await Bun.sleep(Math.random() * 100);
  }
}

const imagesOf = async (url: string, album: string): Promise<readonly Image[]> =>
  ((await (await fetch(`${url}/v1/albums/${album}/images?pageSize=1000`)).json()) as { items: Image[] }).items;

describe.skipIf(missing)("batches of three nodes", () => {
  test("on the same albums and images are done whole or not at all, for every reader, with their events in order", async () => {
    const upload = (album: string, image: string) =>
      fetch(`${fleet().anyUrl()}/v1/albums/${album}/images/${image}/content`, {
        method: "PUT",
        body: randomImage(600).bytes,
      });
    for (const album of [...ALBUMS, "x", "y", "z"]) {
      await fetch(`${fleet().anyUrl()}/v1/albums/${album}`, { method: "PUT" });
      const uploaded = await Promise.all(imageNames.map((image) => upload(album, image)));
      expect(uploaded.map(({ status }) => status)).toEqual(imageNames.map(() => 201));
    }

    const writing = new AbortController();
    const torn: unknown[] = [];
    let reads = 0;
    const reader = async (url: string) => {
      while (!writing.signal.aborted) {
        const album = pick(ALBUMS);
        const titles = new Set((await imagesOf(url, album)).map(({ title }) => title));
        if (titles.size !== 1) torn.push({ album, titles: [...titles] });
        const other = pick(["x", "y", "z"]);
        const { length } = await imagesOf(url, other);
        if (length !== IMAGES) torn.push({ album: other, length });
        reads++;
      }
    };
    const readers = fleet().nodes.map(({ url }) => reader(url));

    const answers: Answer[] = [];
    const client = async (index: number) => {
      const { url } = fleet().nodes[index % 3] as Fleet["nodes"][0];
      for (let round = 0; round < BATCHES; round++) {
        const token = `t-${index}-${round}`;
        answers.push(await send(url, Math.random() < 0.6 ? newBatch(token) : newExchange(token)));
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, (_, index) => client(index)));
    writing.abort();
    await Promise.all(readers);

    expect(torn).toEqual([]);
    expect(reads).toBeGreaterThan(0);
    const refused = answers.filter(({ status, fails }) => (status === 200) === fails);
    expect(refused.map(({ token, status, failed }) => [token, status, failed])).toEqual([]);
    const failing = answers.filter(({ fails }) => fails);
    expect(failing.length).toBeGreaterThan(0);
    for (const { failed, operations } of failing) expect(failed).toBe(operations.length - 2);

    await awaitNumbers(fleet().catalogUrl);
    for (const { url } of fleet().nodes) expectEvents(await readLog(url), answers);
    await using catalog = await openPostgresCatalog({ url: fleet().catalogUrl, poolSize: 2, as: "beside" });
    expect(await catalog.miscounts()).toEqual([]);
    console.log(`${answers.length} batches, ${failing.length} of which failed as they had to; ${reads} reads`);
  });
});

/** One event for each change of each batch that was done, in the order of its operations, and none of another. */
function expectEvents(events: readonly CloudEvent[], answers: readonly Answer[]): void {
  expect(events.map(({ sequence }) => Number(sequence.slice(8)))).toEqual(events.map((_, index) => index + 1));
  const titled = Map.groupBy(events, ({ data }) => ("title" in data ? data.title : null));
  const made = Map.groupBy(events, ({ data }) => ("name" in data ? data.name : null));
  for (const { token, operations, fails } of answers) {
    const own = (titled.get(token) ?? []).filter(({ type }) => type === "imagestore.image.updated");
    const due = operations.filter((one) => "image" in one && "body" in one && "title" in (one.body as object)) as {
      readonly album: string;
      readonly image: string;
    }[];
    const places = own.map(({ data }) => ("album" in data ? `${data.album}/${data.name}` : ""));
    expect([token, places]).toEqual([token, fails ? [] : due.map(({ album, image }) => `${album}/${image}`)]);
    const album = (made.get(token) ?? []).filter(({ type }) => type.startsWith("imagestore.album."));
    if (due.length > 0)
      expect([token, album.map(({ type }) => type)]).toEqual([
        token,
        fails ? [] : ["imagestore.album.created", "imagestore.album.deleted"],
      ]);
  }
}
