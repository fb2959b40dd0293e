import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { until } from "../waiting.ts";
import { type Fleet, fleetIsMissing, startFleet } from "./fleet/fleet.ts";
import { randomImage } from "./random-image.ts";

const ALBUM = "/v1/albums/a";
const ZIP = `${ALBUM}/zip`;
/** More than a node plans at once, and more bytes than sockets hold. */
const IMAGES = 300;
const SIZE = 100_000;

if (!fleetIsMissing()) {
  let fleet: Fleet;
  let folder: string;
  beforeAll(async () => {
    fleet = await startFleet({ env: { IMAGE_STORE_DESCRIBE: "false" } });
    folder = await newFolder("fleet-zip");
    await fetch(`${fleet.anyUrl()}${ALBUM}`, { method: "PUT" });
    for (let at = 0; at < IMAGES; at += 20)
      await Promise.all(
        Array.from({ length: 20 }, async (_, index) => {
          const path = `${ALBUM}/images/${String(at + index).padStart(3, "0")}.png/content`;
          const response = await fetch(fleet.anyUrl() + path, { method: "PUT", body: randomImage(SIZE).bytes });
          expect(response.status).toBe(201);
        }),
      );
  }, 600_000);
  afterAll(async () => {
    await fleet[Symbol.asyncDispose]();
    await removeFolder(folder);
  });

  const whole = async (url: string) => {
    const response = await fetch(url + ZIP);
    expect(response.status).toBe(200);
    return { tag: response.headers.get("etag") ?? "", bytes: Buffer.from(await response.bytes()) };
  };

  /** A slow download, with `meanwhile` once its first bytes have come: its file and how curl ended. */
  async function interrupted(url: string, meanwhile: () => Promise<unknown>) {
    const path = join(folder, `${crypto.randomUUID()}.zip`);
    const curl = Bun.spawn(["curl", "-s", "--limit-rate", "3M", "-o", path, url + ZIP]);
    const received = () => Bun.file(path).size;
    await until(() => received() > 1_000_000);
    await meanwhile();
    return { exitCode: await curl.exited, bytes: Buffer.from(await Bun.file(path).bytes()) };
  }

  test("every node sends the same archive of an album", async () => {
    const [first, ...others] = await Promise.all(fleet.nodes.map(({ url }) => whole(url)));
    for (const other of others) {
      expect(other.tag).toBe(first?.tag ?? "");
      expect(other.bytes.equals(first?.bytes ?? Buffer.alloc(0))).toBe(true);
    }
  });

  test("a download from a node that is killed is resumed from another", async () => {
    const [node, other] = fleet.nodes;
    const { tag, bytes } = await whole(other.url);
    const cut = await interrupted(node.url, () => node.kill());
    expect(cut.exitCode).not.toBe(0);
    expect(cut.bytes.length).toBeLessThan(bytes.length);
    const headers = { Range: `bytes=${cut.bytes.length}-`, "If-Range": tag };
    const rest = await fetch(other.url + ZIP, { headers });
    expect(rest.status).toBe(206);
    expect(Buffer.concat([cut.bytes, await rest.bytes()]).equals(bytes)).toBe(true);
    await node.start();
  });

  test("a download is cut if another node deletes an image meanwhile, and begins anew if it is resumed", async () => {
    const [node, other, third] = fleet.nodes;
    const { tag } = await whole(third.url);
    const cut = await interrupted(node.url, async () => {
      const deleted = await fetch(`${other.url}${ALBUM}/images/299.png`, { method: "DELETE" });
      expect(deleted.status).toBe(204);
    });
    expect(cut.exitCode).not.toBe(0);
    await until(() => node.output().includes("download of an album was cut off"));
    const headers = { Range: `bytes=${cut.bytes.length}-`, "If-Range": tag };
    const again = await fetch(third.url + ZIP, { headers });
    expect(again.status).toBe(200);
    expect((await whole(other.url)).bytes.equals(Buffer.from(await again.bytes()))).toBe(true);
  });
}
