import { join } from "node:path";
import { type Benchmark, interleave } from "./frame.ts";
import { jpegOf } from "./images.ts";
import { runLoad } from "./load.ts";
import { createAlbum, putImage, type RunningStore, startStore } from "./store.ts";

const IMAGES = 1000;
const IN_FLIGHT = 64;
const UPLOADS_PER_SECOND = 10;
const JSON_TYPE = { "content-type": "application/json" };

export const batches: Benchmark = {
  name: "batches",
  about: `updates in batches of ${IMAGES} against single requests, and uploads beside both`,
  async run(context) {
    const file = join(context.folder, "100.jpg");
    await Bun.write(file, await jpegOf(100 * 1024));
    await using store = await startStore({ dataFolder: join(context.folder, "data") });
    await createAlbum(store, "bench");
    await createAlbum(store, "uploads");
    const small = await jpegOf(2 * 1024);
    for (let index = 0; index < IMAGES; index++) await putImage(store, "bench", String(index), small);

    const seconds = context.seconds(4);
    const singly = async (duration: number) =>
      (
        await runLoad({
          port: store.port,
          method: "PATCH",
          path: "/v1/albums/bench/images/{r}",
          range: IMAGES,
          headers: JSON_TYPE,
          body: '{"title":"{n}"}',
          connections: IN_FLIGHT,
          seconds: duration,
          expect: 200,
        })
      ).perSecond;
    const upload = async () =>
      runLoad({
        port: store.port,
        method: "POST",
        path: `/v1/albums/uploads/images?name=${crypto.randomUUID()}-{n}`,
        headers: { "content-type": "image/jpeg" },
        imageFile: file,
        connections: 8,
        rate: UPLOADS_PER_SECOND,
        seconds,
        expect: 201,
      });
    const medians: Record<string, number[]> = {};
    const uploadBeside = async (name: string, other?: () => Promise<unknown>) => {
      const [{ p50, p99 }] = await Promise.all([upload(), other?.()]);
      (medians[name] ??= []).push(Math.round(p50 * 10) / 10);
      return p99;
    };

    await singly(context.seconds(1));
    const rates = await interleave(context.runs, {
      together: () => inBatches(store, seconds),
      singly: () => singly(seconds),
    });
    const latencies = await interleave(context.runs, {
      beside: () => uploadBeside("beside", () => inBatches(store, seconds)),
      singly: () => uploadBeside("singly", () => singly(seconds)),
      idle: () => uploadBeside("idle"),
    });
    const ours = { unit: "ms", runs: latencies.beside } as const;
    const work = `p99 of an upload, 100 KB, while batches of ${IMAGES} updates run one behind the other`;
    return [
      {
        work: `update an image record, in batches of ${IMAGES}, one behind the other`,
        ours: { unit: "/s", runs: rates.together },
        against: { name: `PATCH, ${IN_FLIGHT} in flight`, series: { unit: "/s", runs: rates.singly } },
        note: "the clients share the cores",
      },
      {
        work,
        ours,
        against: { name: "idle", series: { unit: "ms", runs: latencies.idle } },
        note: `medians ${medians["beside"]?.join(", ")} and ${medians["idle"]?.join(", ")} ms`,
      },
      {
        work,
        ours,
        against: { name: `beside PATCH, ${IN_FLIGHT} in flight`, series: { unit: "ms", runs: latencies.singly } },
        note: `medians ${medians["beside"]?.join(", ")} and ${medians["singly"]?.join(", ")} ms`,
      },
    ];
  },
};

/** Returns how many images are updated a second. */
async function inBatches({ url }: RunningStore, seconds: number): Promise<number> {
  const start = performance.now();
  let updated = 0;
  while (performance.now() - start < seconds * 1000) {
    const operations = Array.from({ length: IMAGES }, (_, index) => {
      return { type: "updateImage", album: "bench", image: String(index), body: { title: `${start} ${updated}` } };
    });
    const response = await fetch(`${url}/v1/batches`, {
      method: "POST",
      headers: JSON_TYPE,
      body: JSON.stringify({ operations }),
    });
    if (response.status !== 200) throw new Error(`A batch answered ${response.status}: ${await response.text()}`);
    await response.arrayBuffer();
    updated += IMAGES;
  }
  return (updated * 1000) / (performance.now() - start);
}
