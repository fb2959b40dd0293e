import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Benchmark, type Context, interleave, type Row } from "./frame.ts";
import { jpegOf } from "./images.ts";
import { LOAD_PLACE, runGetLoad } from "./load.ts";
import { canPin, SERVER_CORE } from "./machine.ts";
import { startNginx } from "./peers/nginx.ts";
import { createAlbum, putImage, startStore } from "./store.ts";

const CONNECTIONS = 32;
const PEER = "nginx, one worker";

export const content: Benchmark = {
  name: "content",
  about: `GET of originals on ${canPin ? "one core" : "all cores"} against nginx with one worker on the same`,
  async run(context) {
    const root = join(context.folder, "root");
    await mkdir(root);
    await using nginx = await startNginx(root, join(context.folder, "nginx"));
    await using store = await startStore({ dataFolder: join(context.folder, "data"), core: SERVER_CORE });
    await createAlbum(store, "bench");

    const rows: Row[] = [];
    for (const kilobytes of [100, 4]) {
      const bytes = await jpegOf(kilobytes * 1024);
      await Bun.write(join(root, `${kilobytes}.jpg`), bytes);
      const image = await putImage(store, "bench", `${kilobytes}.jpg`, bytes);
      const compare = (name: string, path: string) =>
        row(context, { work: `GET content, ${kilobytes} KB, ${name}`, kilobytes, path, port: store.port, nginx });
      rows.push(await compare("by id and digest", image.links.content));
      if (kilobytes === 100) rows.push(await compare("by name", `${image.links.self}/content`));
    }
    return rows;
  },
};

interface Comparison {
  readonly work: string;
  readonly kilobytes: number;
  readonly path: string;
  readonly port: number;
  readonly nginx: { readonly port: number } | undefined;
}

async function row(context: Context, { work, kilobytes, path, port, nginx }: Comparison): Promise<Row> {
  const worst: Record<string, number> = {};
  const measure = async (name: string, target: { port: number; path: string }, seconds = context.seconds(4)) => {
    const result = await runGetLoad({ ...target, connections: CONNECTIONS, seconds });
    worst[name] = Math.max(worst[name] ?? 0, result.p99);
    return result.perSecond;
  };
  const nginxTarget = { port: nginx?.port ?? 0, path: `/${kilobytes}.jpg` };
  await measure("warm-up", { port, path }, context.seconds(2));
  const { ours, theirs } = await interleave(context.runs, {
    ours: () => measure("ours", { port, path }),
    theirs: () => (nginx === undefined ? Promise.resolve(Number.NaN) : measure("nginx", nginxTarget)),
  });
  const p99 = Object.entries(worst).filter(([name]) => name !== "warm-up");
  return {
    work: `${work}, ${CONNECTIONS} connections`,
    ours: { unit: "/s", runs: ours },
    against:
      nginx === undefined
        ? { name: PEER, missing: "nginx is not installed" }
        : { name: PEER, series: { unit: "/s", runs: theirs } },
    ...(kilobytes === 100 ? { goal: { of: "ratio", bound: "least", value: 0.5 } } : {}),
    note: `worst p99 ${p99.map(([name, ms]) => `${name} ${ms.toFixed(1)} ms`).join(", ")}; ${LOAD_PLACE}`,
  };
}
