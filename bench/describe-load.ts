import { join } from "node:path";
import { type Benchmark, type Context, interleave, type Row } from "./frame.ts";
import { jpegOf } from "./images.ts";
import { LOAD_PLACE, runGetLoad } from "./load.ts";
import { canPin, SERVER_CORE } from "./machine.ts";
import { createAlbum, createImages, putImage, type RunningStore, startStore, sumMetric } from "./store.ts";

const CONNECTIONS = 32;
const UPLOADS = 32;

export const describeLoad: Benchmark = {
  name: "describe-load",
  about: `GET of a hot original on ${canPin ? "one core" : "all cores"} while the images of a long queue are described`,
  async run(context) {
    const queued = join(context.folder, "100.jpg");
    await Bun.write(queued, await jpegOf(100 * 1024));
    const start = async (name: string, describe: boolean) => {
      const settings = { DESCRIBE: String(describe) };
      const store = await startStore({ dataFolder: join(context.folder, name), core: SERVER_CORE, settings });
      await createAlbum(store, "bench");
      return store;
    };
    await using describing = await start("describing", true);
    await using plain = await start("plain", false);
    for (const store of [describing, plain])
      await createImages(store, queued, { seconds: context.seconds(15), inFlight: UPLOADS });
    const rows: Row[] = [];
    for (const kilobytes of [4, 100]) rows.push(await row(context, kilobytes, describing, plain));
    return rows;
  },
};

async function row(context: Context, kilobytes: number, describing: RunningStore, plain: RunningStore): Promise<Row> {
  const bytes = await jpegOf(kilobytes * 1024);
  const load = async (store: RunningStore) => {
    const { links } = await putImage(store, "bench", `hot-${kilobytes}.jpg`, bytes);
    const { port } = store;
    const seconds = context.seconds(5);
    return (await runGetLoad({ port, path: links.content, connections: CONNECTIONS, seconds })).perSecond;
  };
  const { ours, theirs } = await loadInTurns(context.runs, { describing, plain }, load);
  const waiting = sumMetric(await describing.metrics(), "image_store_describe_backlog");
  return {
    work: `GET content, ${kilobytes} KB, hot, by id and digest, beside a queue of images to describe`,
    ours: { unit: "/s", runs: ours },
    against: { name: "without descriptions", series: { unit: "/s", runs: theirs } },
    goal: { of: "ratio", bound: "least", value: 0.95 },
    note: `${CONNECTIONS} connections, ${LOAD_PLACE}; ${waiting.toLocaleString("en")} images waited at the end`,
  };
}

/** The load of a store that describes images and of one that does not, in turns. */
export async function loadInTurns(
  runs: number,
  { describing, plain }: { readonly describing: RunningStore; readonly plain: RunningStore },
  load: (store: RunningStore) => Promise<number>,
) {
  // Stopped in the turns of the other, in which it would go on describing.
  process.kill(describing.pid, "SIGSTOP");
  const series = await interleave(runs, {
    ours: async () => {
      process.kill(describing.pid, "SIGCONT");
      const perSecond = await load(describing);
      process.kill(describing.pid, "SIGSTOP");
      return perSecond;
    },
    theirs: () => load(plain),
  });
  process.kill(describing.pid, "SIGCONT");
  return series;
}
