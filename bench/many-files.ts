import { closeSync, ftruncateSync, futimesSync, lstatSync, openSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { createClient } from "../client/src/index.ts";
import { openDigests } from "../src/cli/remote/digests.ts";
import { type Benchmark, interleave, type Row } from "./frame.ts";
import { type Ran, runCli, runProgram } from "./programs.ts";
import { seededFolder } from "./seed.ts";
import { startStore } from "./store.ts";

const ALBUM = "bench";

export const manyFiles: Benchmark = {
  name: "many-files",
  about: "sync and export of 1,000,000 files that both sides have: memory and time",
  async run(context) {
    const images = context.smoke ? 2000 : 1_000_000;
    const dataFolder = await seededFolder(context.cache, { images }, context.say);
    const home = join(context.folder, "home");
    // Of the album's name, as an export wants it.
    const folder = join(context.folder, ALBUM);
    await using store = await startStore({ dataFolder, settings: { EVENTS_RETENTION: "forever" } });
    context.say(`making ${images.toLocaleString("en")} files`);
    await makeFolder(folder, store.url, home);
    const peaks = { sync: [] as number[], export: [] as number[] };
    const forTenThousand = ({ seconds }: Ran) => (seconds * 1000 * 10_000) / images;
    const measure = async (command: "sync" | "export", ...operands: readonly string[]) => {
      const ran = await runCli(store, home, command, ...operands);
      peaks[command].push(ran.peakMB);
      return forTenThousand(ran);
    };
    const runs = await interleave(Math.min(context.runs, 3), {
      sync: () => measure("sync", `${folder}/`, ALBUM),
      export: () => measure("export", ALBUM, context.folder),
      walk: async () => forTenThousand(await runProgram(["find", folder, "-printf", "%s %T@\n"])),
    });
    return (["sync", "export"] as const).flatMap((command): Row[] => {
      const work = `${command} of ${images.toLocaleString("en")} files that are there`;
      return [
        {
          work: `${work}, time for 10,000`,
          ours: { unit: "ms", runs: runs[command] },
          against: { name: "find that prints sizes and times", series: { unit: "ms", runs: runs.walk } },
          ...(context.smoke ? {} : { goal: { of: "ours", bound: "most", value: 2000 } }),
        },
        {
          work: `${work}, peak memory`,
          ours: { unit: "MB", runs: peaks[command] },
          goal: { of: "ours", bound: "most", value: 200 },
        },
      ];
    });
  },
};

/** Files as an export would have left them, but without bytes, and the digests that it would have kept. */
async function makeFolder(folder: string, url: string, home: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  using digests = await openDigests({ HOME: home }, folder);
  for await (const { name, size, sha256, createdAt } of createClient({ url }).images(ALBUM, { pageSize: 1000 })) {
    const path = join(folder, name);
    const file = openSync(path, "wx", 0o644);
    const time = new Date(createdAt);
    ftruncateSync(file, size);
    futimesSync(file, time, time);
    closeSync(file);
    digests.keep(name, lstatSync(path, { bigint: true }), sha256, true);
  }
}
