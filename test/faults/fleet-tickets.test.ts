import { describe, expect, test } from "bun:test";
import type { CloudEvent } from "../../src/domain/event.ts";
import type { Image } from "../../src/domain/image.ts";
import type { Ticket, UploadedImage } from "../../src/domain/ticket.ts";
import { until } from "../waiting.ts";
import { shareFleet } from "./fleet/share-fleet.ts";
import { randomImage } from "./random-image.ts";

const RACING = 200;

const { missing, fleet } = shareFleet({ env: { IMAGE_STORE_DESCRIBE: "false" } });

const get = async <Value>(path: string): Promise<Value> =>
  (await (await fetch(`${fleet().anyUrl()}${path}`)).json()) as Value;

async function newAlbum(): Promise<{ readonly id: string; readonly path: string }> {
  const path = `/v1/albums/${crypto.randomUUID()}`;
  const response = await send("PUT", path, {});
  expect(response.status).toBe(201);
  return { path, id: ((await response.json()) as { id: string }).id };
}

const send = (method: string, path: string, body: unknown) =>
  fetch(`${fleet().anyUrl()}${path}`, {
    method,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });

async function newTicket(album: string, wish: object): Promise<Ticket & { readonly url: string }> {
  const response = await send("POST", `${album}/tickets`, wish);
  expect(response.status).toBe(201);
  return (await response.json()) as Ticket & { readonly url: string };
}

/** Of the album's images, once the log has them. */
async function createdEvents(albumId: string): Promise<readonly CloudEvent[]> {
  const read = async () => {
    const { items } = await get<{ items: CloudEvent[] }>(`/v1/events?limit=1000&albumId=${albumId}`);
    return items.filter(({ type }) => type === "imagestore.image.created");
  };
  await until(async () => (await read()).length > 0);
  return read();
}

describe.skipIf(missing)("one ticket on three nodes", () => {
  test.each([
    ["with one name and other bytes each", { name: "me" }, () => randomImage(500).bytes],
    ["with names of their own", { files: 1 }, () => randomImage(500).bytes],
    ["of the same bytes", {}, (same: Buffer<ArrayBuffer>) => same],
  ])("stores one image and writes one event for 200 racing uploads %s", async (_name, wish, bytesOf) => {
    const album = await newAlbum();
    const { id, url } = await newTicket(album.path, wish);
    const same = randomImage(500).bytes;
    const bodies = Array.from({ length: RACING }, () => bytesOf(same));
    const answers = await Promise.all(
      bodies.map(async (body) => {
        const response = await fetch(`${fleet().anyUrl()}${url}`, { method: "PUT", body });
        return { status: response.status, image: (await response.json()) as UploadedImage };
      }),
    );
    const [stored, ...others] = answers.filter(({ status }) => status === 201);
    expect(others).toEqual([]);
    // The same image again, still in progress, or used: and a queue that is full.
    expect(answers.filter(({ status }) => ![200, 201, 409, 410, 503].includes(status))).toEqual([]);
    for (const { status, image } of answers) if (status === 200) expect(image).toEqual(stored?.image as UploadedImage);

    const { items } = await get<{ items: Image[] }>(`${album.path}/images`);
    expect(items.map((image) => image.id)).toEqual([stored?.image.id ?? ""]);
    const events = await createdEvents(album.id);
    expect(events.map(({ data }) => data.actor)).toEqual([{ kind: "ticket", id, name: null }]);
    const { items: tickets } = await get<{ items: Ticket[] }>(`${album.path}/tickets`);
    expect(tickets).toMatchObject([{ id, filesLeft: 0 }]);
  });

  test("for several files stores as many of 200 racing uploads as it allows", async () => {
    const album = await newAlbum();
    const { url } = await newTicket(album.path, { files: 17 });
    let stored = 0;
    // Most of the uploads that race are refused while others run.
    while (stored < 17) {
      const statuses = await Promise.all(
        Array.from({ length: RACING }, async (_, index) => {
          const body = randomImage(500 + index).bytes;
          return (await fetch(`${fleet().anyUrl()}${url}`, { method: "PUT", body })).status;
        }),
      );
      expect(statuses.filter((status) => ![201, 409, 410, 503].includes(status))).toEqual([]);
      stored += statuses.filter((status) => status === 201).length;
    }
    expect(stored).toBe(17);
    expect((await get<{ items: Image[] }>(`${album.path}/images`)).items).toHaveLength(17);
    await until(async () => (await createdEvents(album.id)).length >= 17);
    expect(await createdEvents(album.id)).toHaveLength(17);
  });

  test("is used up on a node that is killed before it can say so, and the same bytes then get the image", async () => {
    const [node, other] = fleet().nodes;
    let repeats = 0;
    for (let round = 0; round < 8; round++) {
      const album = await newAlbum();
      const { url } = await newTicket(album.path, { name: "me" });
      const body = randomImage(2000).bytes;
      const first = fetch(`${node.url}${url}`, { method: "PUT", body }).catch(() => undefined);
      // From before the commit to after the response.
      await (round === 7 ? first : Bun.sleep(round * 8));
      await node.kill();
      const answered = (await first)?.status;
      const put = () => fetch(`${other.url}${url}`, { method: "PUT", body });
      let again = await put();
      // On a busy machine, what the killed node had begun may end later than the store lets a change wait.
      while (again.status === 503) again = await put();
      expect([200, 201]).toContain(again.status);
      if (answered === 201) expect(again.status).toBe(200);
      if (again.status === 200) repeats++;
      const { items } = (await (await fetch(`${other.url}${album.path}/images`)).json()) as { items: Image[] };
      expect(items).toHaveLength(1);
      await node.start();
    }
    expect(repeats).toBeGreaterThan(0);
  });

  test("is revoked on every node with the response to its deletion", async () => {
    const album = await newAlbum();
    const { id, url } = await newTicket(album.path, { files: 9 });
    expect((await send("DELETE", `${album.path}/tickets/${id}`, {})).status).toBe(204);
    for (const node of fleet().nodes) {
      const response = await fetch(`${node.url}${url}`, { method: "PUT", body: randomImage(500).bytes });
      expect(response.status).toBe(404);
    }
  });
});
