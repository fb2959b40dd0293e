import { join } from "node:path";
import { type CpuProfile, heaviest } from "./cpu-profile.ts";
import type { Benchmark, Row } from "./frame.ts";
import { jpegOf } from "./images.ts";
import { createAlbum, createImages, type RunningStore, startStore, sumMetric } from "./store.ts";

const IN_FLIGHT = 32;
const SHOWN = 20;

/** The steps of an upload as the metrics time them, from the call to its end, waiting included. */
const STEPS = [
  { step: "stage (receive, hash, write, sync)", metric: "blob_operation", operation: "stage" },
  { step: "probe (read the headers)", metric: "renderer_operation", operation: "probe" },
  { step: "commit (rename, folder sync)", metric: "blob_operation", operation: "commit" },
  { step: "record and event (group commit)", metric: "catalog_operation", operation: "putImages" },
] as const;

export const uploadProfile: Benchmark = {
  name: "upload-profile",
  about: "where the time of an upload goes: processor time, steps and a profile of the main thread",
  async run(context) {
    const file = join(context.folder, "100.jpg");
    await Bun.write(file, await jpegOf(100 * 1024));
    const profiles = join(context.folder, "profiles");
    const rows: Row[] = [];
    {
      const runtimeFlags = ["--cpu-prof", `--cpu-prof-dir=${profiles}`];
      await using store = await startStore({ dataFolder: join(context.folder, "data"), runtimeFlags });
      await createAlbum(store, "bench");
      await createImages(store, file, { seconds: context.seconds(2), inFlight: IN_FLIGHT });
      rows.push(...(await measureSteps(store, file, context.seconds(5))));
    }
    for await (const path of new Bun.Glob("*.cpuprofile").scan({ cwd: profiles, absolute: true })) {
      console.log(`\nMain thread, own time, of the time that it ran:`);
      for (const { share, name } of heaviest((await Bun.file(path).json()) as CpuProfile, SHOWN))
        console.log(`${(share * 100).toFixed(1).padStart(6)} %  ${name}`);
    }
    return rows;
  },
};

async function measureSteps(store: RunningStore, file: string, seconds: number): Promise<Row[]> {
  const before = { cpu: await store.cpuSeconds(), metrics: await store.metrics() };
  const { requests, perSecond, p50 } = await createImages(store, file, { seconds, inFlight: IN_FLIGHT });
  const after = { cpu: await store.cpuSeconds(), metrics: await store.metrics() };
  const grown = (metric: string, label = "") =>
    sumMetric(after.metrics, `image_store_${metric}`, label) -
    sumMetric(before.metrics, `image_store_${metric}`, label);

  const batches = grown("catalog_commit_batch_size_count");
  const steps = STEPS.map(({ step, metric, operation }): Row => {
    const label = `operation="${operation}"`;
    const milliseconds =
      (grown(`${metric}_duration_seconds_sum`, label) / grown(`${metric}_duration_seconds_count`, label)) * 1000;
    return { work: `  ${step}`, ours: { unit: "ms", runs: [milliseconds] } };
  });
  return [
    {
      work: `create image, 100 KB, ${IN_FLIGHT} in flight, profiled`,
      ours: { unit: "/s", runs: [perSecond] },
      note: `${(grown("catalog_commit_batch_size_sum") / batches).toFixed(1)} changes per commit`,
    },
    {
      work: "processor time of an upload",
      ours: { unit: "µs", runs: [((after.cpu - before.cpu) * 1e6) / requests] },
      note: "all threads of the store and kernel time, without child processes",
    },
    { work: "wall time of an upload, median", ours: { unit: "ms", runs: [p50] } },
    ...steps,
  ];
}
