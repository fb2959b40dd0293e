import { join } from "node:path";
import { cpuSeconds, cpuSecondsOfMainThread } from "./cpu-time.ts";
import { type Benchmark, type Context, interleave, type Row } from "./frame.ts";
import { jpegOf } from "./images.ts";
import { runLoad } from "./load.ts";
import { createAlbum, createImages, putImage, type RunningStore, startStore } from "./store.ts";

const UPLOADS = 32;
const GETS_PER_SECOND = 200;

export const mixed: Benchmark = {
  name: "mixed",
  about: `GET p99 beside ${UPLOADS} uploads, against idle, uploads to another store, and loops that burn as much`,
  async run(context) {
    const file = join(context.folder, "100.jpg");
    await Bun.write(file, await jpegOf(100 * 1024));
    await using store = await startStore({ dataFolder: join(context.folder, "data") });
    await using other = await startStore({ dataFolder: join(context.folder, "other") });
    for (const { port } of [store, other]) {
      await createAlbum({ url: `http://127.0.0.1:${port}` }, "bench");
      await createImages({ port }, file, { seconds: context.seconds(2), inFlight: UPLOADS });
    }
    const { links } = await putImage(store, "bench", "read.jpg", await jpegOf(4096));
    return await measure(context, { store, other, file, paths: { content: links.content, record: links.self } });
  },
};

interface Scene {
  readonly store: RunningStore;
  readonly other: RunningStore;
  readonly file: string;
  readonly paths: { readonly content: string; readonly record: string };
}

async function measure(context: Context, scene: Scene): Promise<readonly Row[]> {
  const { store, other, file, paths } = scene;
  const seconds = context.seconds(5);
  const uploads: number[] = [];
  const records: Record<Name, number[]> = { idle: [], busy: [], another: [], burning: [] };
  const gets = async (name: Name) => {
    const load = { port: store.port, method: "GET", connections: 4, rate: GETS_PER_SECOND, seconds, expect: 200 };
    const [content, record] = await Promise.all([
      runLoad({ ...load, path: paths.content }),
      runLoad({ ...load, path: paths.record }),
    ]);
    records[name].push(record.p99);
    return content.p99;
  };
  const upload = (to: RunningStore) => createImages(to, file, { seconds, inFlight: UPLOADS });
  let idle: Used = { clients: 0, threads: 0 };
  let busy = idle;
  const contents = await interleave(
    context.runs,
    {
      idle: async () => {
        const before = used(scene);
        const p99 = await gets("idle");
        idle = since(before, used(scene));
        return p99;
      },
      busy: async () => {
        const before = used(scene);
        const [p99, { perSecond }] = await Promise.all([gets("busy"), upload(store)]);
        busy = since(before, used(scene));
        uploads.push(Math.round(perSecond));
        return p99;
      },
      another: async () => (await Promise.all([gets("another"), upload(other)]))[0],
      burning: () => besideLoops(sharesOf(idle, busy, seconds), () => gets("burning")),
    },
    { inOrder: true },
  );
  const shares = sharesOf(idle, busy, seconds).map((share) => share.toFixed(2));
  const note =
    `${GETS_PER_SECOND} GETs/s of each, timed from when they were due; uploads/s ${uploads.join(", ")}; ` +
    `the loops take ${shares.join(" and ")} of a core`;
  return [...rows("4 KB", contents, note), ...rows("a record", records, note)];
}

type Name = "idle" | "busy" | "another" | "burning";

function rows(
  what: string,
  { idle, busy, another, burning }: Readonly<Record<Name, readonly number[]>>,
  note: string,
): readonly Row[] {
  const work = `p99 of GET of ${what} while ${UPLOADS} uploads of 100 KB run`;
  const ours = { unit: "ms", runs: busy } as const;
  return [
    { work, ours, against: against("idle", idle), goal: { of: "ratio", bound: "most", value: 2 }, note },
    { work, ours, against: against("while another store receives them", another) },
    { work, ours, against: against("beside loops that burn as much as the client and the other threads", burning) },
  ];
}

const against = (name: string, runs: readonly number[]) => ({ name, series: { unit: "ms", runs } as const });

/** Processor time of the clients, and of the threads of the store but for the main one, in seconds. */
interface Used {
  readonly clients: number;
  readonly threads: number;
}

function used({ store, other }: Scene): Used {
  const ofStore = cpuSeconds(store.pid);
  return {
    clients: cpuSeconds(process.pid, { family: true }) - ofStore - cpuSeconds(other.pid),
    threads: ofStore - cpuSecondsOfMainThread(store.pid),
  };
}

const since = (before: Used, after: Used): Used => ({
  clients: after.clients - before.clients,
  threads: after.threads - before.threads,
});

/** Shares of a core that the uploads take, the work of the main thread left out. */
const sharesOf = (idle: Used, busy: Used, seconds: number): readonly number[] =>
  (["clients", "threads"] as const).map((who) => Math.min(Math.max((busy[who] - idle[who]) / seconds, 0.01), 1));

/** Burns a share of a core in steps of a millisecond. */
const LOOP = `
const share = Number(process.argv[1]);
const cell = new Int32Array(new SharedArrayBuffer(4));
for (;;) {
  for (const start = performance.now(); performance.now() - start < share; );
  Atomics.wait(cell, 0, 0, 1 - share);
}`;

async function besideLoops<Result>(shares: readonly number[], work: () => Promise<Result>): Promise<Result> {
  const loops = shares.map((share) => Bun.spawn([process.execPath, "-e", LOOP, String(share)]));
  try {
    return await work();
  } finally {
    for (const loop of loops) loop.kill("SIGKILL");
    await Promise.all(loops.map(({ exited }) => exited));
  }
}
