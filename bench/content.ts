import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Benchmark, type Context, interleave, type Row } from "./frame.ts";
import { jpegOf } from "./images.ts";
import { LOAD_PLACE, runGetLoad, runLoad } from "./load.ts";
import { canPin, SERVER_CORE } from "./machine.ts";
import { startNginx } from "./peers/nginx.ts";
import { createAlbum, putImage, type RunningStore, startStore } from "./store.ts";

const CONNECTIONS = 32;
const PEER = "nginx, one worker";

export const content: Benchmark = {
  name: "content",
  about: `GET of originals on ${canPin ? "one core" : "all cores"} against one nginx worker on the same core`,
  async run(context) {
    const root = join(context.folder, "root");
    await mkdir(root);
    await using nginx = await startNginx(root, join(context.folder, "nginx"));
    const start = (name: string, settings: Readonly<Record<string, string>>) =>
      startStore({ dataFolder: join(context.folder, name), core: SERVER_CORE, settings });
    await using store = await start("data", {});
    await using uncached = await start("uncached", { IMAGE_CACHE: "0" });
    await using files = await start("files", { SMALL_IMAGE: "0" });
    for (const each of [store, uncached, files]) await createAlbum(each, "bench");

    const rows: Row[] = [];
    for (const kilobytes of [100, 4]) {
      const bytes = await jpegOf(kilobytes * 1024);
      await Bun.write(join(root, `${kilobytes}.jpg`), bytes);
      const put = async (to: RunningStore) => {
        const { links } = await putImage(to, "bench", `${kilobytes}.jpg`, bytes);
        return { port: to.port, byDigest: links.content, byName: `${links.self}/content` };
      };
      const ours = await put(store);
      const theirs = nginx && { name: PEER, port: nginx.port, path: `/${kilobytes}.jpg` };
      // More files than either server keeps open, as in a real store.
      const count = context.smoke ? 100 : large(kilobytes) ? 3_000 : 10_000;
      const path = `/v1/albums/bench/images/${kilobytes}-{r}.jpg/content`;
      for (const { port } of [uncached, files])
        await createMany(port, join(root, `${kilobytes}.jpg`), kilobytes, count);
      const unkept = { port: uncached.port, path, range: count };
      const fileEach = { name: "a file each", port: files.port, path, range: count };
      const work = `GET content, ${kilobytes} KB`;
      const hot = large(kilobytes) ? 0.9 : 0.7;
      rows.push(await row(context, `${work}, by id and digest`, { port: ours.port, path: ours.byDigest }, theirs, hot));
      if (large(kilobytes))
        rows.push(await row(context, `${work}, by name`, { port: ours.port, path: ours.byName }, theirs, hot));
      const others = `${work}, one of ${count} by name, not in our memory`;
      rows.push(await row(context, others, unkept, fileEach, large(kilobytes) ? 1 : 1.2));
    }
    return rows;
  },
};

const large = (kilobytes: number): boolean => kilobytes >= 100;

interface Target {
  readonly port: number;
  readonly path: string;
  /** Of the random number in the path, where there is one. */
  readonly range?: number;
}

/** Distinct images under the names `100-0.jpg`, `100-1.jpg`, … */
const createMany = (port: number, imageFile: string, kilobytes: number, requests: number) =>
  runLoad({
    port,
    method: "POST",
    path: `/v1/albums/bench/images?name=${kilobytes}-{n}.jpg`,
    headers: { "content-type": "image/jpeg" },
    imageFile,
    connections: CONNECTIONS,
    seconds: 600,
    requests,
    expect: 201,
  });

/** `goal` is the least ratio to their rate. */
async function row(
  context: Context,
  work: string,
  target: Target,
  peer: (Target & { readonly name: string }) | undefined,
  goal: number | undefined,
): Promise<Row> {
  const worst: Record<string, number> = {};
  const measure = async (name: string, { port, path, range }: Target, seconds = context.seconds(4)) => {
    const result = await runGetLoad({ port, path, ...(range && { range }), connections: CONNECTIONS, seconds });
    worst[name] = Math.max(worst[name] ?? 0, result.p99);
    return result.perSecond;
  };
  await measure("warm-up", target, context.seconds(2));
  const { ours, theirs } = await interleave(context.runs, {
    ours: () => measure("ours", target),
    theirs: () => (peer === undefined ? Promise.resolve(Number.NaN) : measure("theirs", peer)),
  });
  const p99 = Object.entries(worst).filter(([name]) => name !== "warm-up");
  return {
    work: `${work}, ${CONNECTIONS} connections`,
    ours: { unit: "/s", runs: ours },
    against:
      peer === undefined
        ? { name: PEER, missing: "nginx is not installed" }
        : { name: peer.name, series: { unit: "/s", runs: theirs } },
    ...(goal === undefined ? {} : { goal: { of: "ratio", bound: "least", value: goal } }),
    note: `worst p99 ${p99.map(([name, ms]) => `${name} ${ms.toFixed(1)} ms`).join(", ")}; ${LOAD_PLACE}`,
  };
}
