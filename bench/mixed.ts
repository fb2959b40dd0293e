import { join } from "node:path";
import { type Benchmark, interleave } from "./frame.ts";
import { jpegOf } from "./images.ts";
import { runLoad } from "./load.ts";
import { createAlbum, createImages, putImage, startStore } from "./store.ts";

const UPLOADS = 32;
const GETS_PER_SECOND = 200;

export const mixed: Benchmark = {
  name: "mixed",
  about: `GET p99 while ${UPLOADS} uploads run, against idle and against four times fewer`,
  async run(context) {
    const file = join(context.folder, "100.jpg");
    const bytes = await jpegOf(100 * 1024);
    await Bun.write(file, bytes);
    await using store = await startStore({ dataFolder: join(context.folder, "data") });
    await createAlbum(store, "bench");
    const { links } = await putImage(store, "bench", "read.jpg", bytes);
    const seconds = context.seconds(5);
    const uploads: Record<number, number[]> = {};

    const getP99 = async (inFlight: number) => {
      const [get, create] = await Promise.all([
        runLoad({
          port: store.port,
          method: "GET",
          path: links.content,
          connections: 8,
          rate: GETS_PER_SECOND,
          seconds,
          expect: 200,
        }),
        inFlight === 0 ? undefined : createImages(store, file, { seconds, inFlight }),
      ]);
      if (create !== undefined) (uploads[inFlight] ??= []).push(Math.round(create.perSecond));
      return get.p99;
    };
    await createImages(store, file, { seconds: context.seconds(2), inFlight: UPLOADS });
    const { idle, fewer, all } = await interleave(context.runs, {
      idle: () => getP99(0),
      fewer: () => getP99(UPLOADS / 4),
      all: () => getP99(UPLOADS),
    });
    const ours = { unit: "ms", runs: all } as const;
    const work = `p99 of GET, 100 KB, while ${UPLOADS} uploads run`;
    const note = `${GETS_PER_SECOND} GETs/s, timed from when they were due; the loads share the cores`;
    return [
      {
        work,
        ours,
        against: { name: "idle", series: { unit: "ms", runs: idle } },
        goal: { of: "ratio", bound: "most", value: 3 },
        note,
      },
      {
        work,
        ours,
        against: { name: `while ${UPLOADS / 4} run`, series: { unit: "ms", runs: fewer } },
        note: `uploads/s ${uploads[UPLOADS]?.join(", ")} and ${uploads[UPLOADS / 4]?.join(", ")}`,
      },
    ];
  },
};
