import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { IN_FLIGHT } from "../src/cli/remote/transfer.ts";
import { type Benchmark, type Context, interleave, type Row } from "./frame.ts";
import { writeImages } from "./image-folder.ts";
import { jpegOf } from "./images.ts";
import { missingForRclone, type Rclone, startRclone } from "./peers/rclone.ts";
import { type Ran, runCli, runProgram } from "./programs.ts";
import { createAlbum, createImages, type RunningStore, startStore } from "./store.ts";

const KILOBYTES = 100;
const ALBUM = "bench";

interface Setting {
  readonly context: Context;
  readonly images: number;
  readonly source: string;
  /** Profile and digests of the commands. */
  readonly home: string;
  readonly rclone: Rclone | undefined;
  /** The most memory that each command had, in any run. */
  readonly peaks: Map<string, number>;
  readonly rate: (command: string, ran: Ran) => number;
}

export const transfers: Benchmark = {
  name: "transfers",
  about: "sync and export, against the store's own rate, cp and rclone with a server of S3",
  async run(context) {
    const home = join(context.folder, "home");
    await mkdir(home);
    const missing = missingForRclone();
    if (missing !== undefined) context.say(`without rclone: ${missing}`);
    await using rclone = missing === undefined ? await startRclone(home, IN_FLIGHT) : undefined;
    const images = context.smoke ? 50 : 10_000;
    const source = join(context.folder, "source");
    await writeImages(source, images, KILOBYTES * 1024);
    const peaks = new Map<string, number>();
    const setting: Setting = {
      context,
      images,
      source,
      home,
      rclone,
      peaks,
      rate: (command, { seconds, peakMB }) => {
        peaks.set(command, Math.max(peaks.get(command) ?? 0, peakMB));
        return images / seconds;
      },
    };
    const against = { name: "rclone and versitygw", missing: missing ?? "" };
    const up = await sendRows(setting, against);
    await using store = await startStore({ dataFolder: join(context.folder, "kept") });
    await runCli(store, home, "sync", `${source}/`, ALBUM);
    return [...up, ...(await againRows(setting, store, against)), ...(await receiveRows(setting, store, against))];
  },
};

type Missing = { readonly name: string; readonly missing: string };
const versus = (unit: "/s" | "ms", { rclone }: Setting, runs: readonly number[], missing: Missing) =>
  rclone === undefined ? missing : { name: rclone.name, series: { unit, runs } };

const peakOf = ({ peaks }: Setting, command: string): string =>
  `peak memory ${(peaks.get(command) ?? 0).toFixed(0)} MB`;

/** Each run has its own store, because a fuller disk or catalog would slow later runs. */
async function sendRows(setting: Setting, missing: Missing): Promise<readonly Row[]> {
  const { context, images, source, home, rclone, rate } = setting;
  const file = join(context.folder, "image.jpg");
  await Bun.write(file, await jpegOf(KILOBYTES * 1024));
  const inNewStore = async (work: (store: RunningStore) => Promise<number>) => {
    const dataFolder = join(context.folder, "sent-to");
    try {
      await flush(context);
      await using store = await startStore({ dataFolder });
      return await work(store);
    } finally {
      await rm(dataFolder, { recursive: true, force: true });
    }
  };
  const runs = await interleave(context.runs, {
    sync: () => inNewStore(async (store) => rate("sync", await runCli(store, home, "sync", `${source}/`, ALBUM))),
    upload: () =>
      inNewStore(async (store) => {
        await createAlbum(store, ALBUM);
        return (await createImages(store, file, { seconds: context.seconds(6), inFlight: IN_FLIGHT })).perSecond;
      }),
    bare: () =>
      inNewStore(async (store) => {
        await createAlbum(store, ALBUM);
        return images / (await runProgram(bare("bare-sync.ts", store, source))).seconds;
      }),
    rclone: async () => {
      await flush(context);
      return rclone === undefined ? Number.NaN : images / (await rclone.send(source)).seconds;
    },
  });
  const work = `sync of ${images.toLocaleString("en")} files of ${KILOBYTES} KB into a new album, durable`;
  const ours = { unit: "/s", runs: runs.sync } as const;
  return [
    {
      work,
      ours,
      against: { name: `uploads, ${IN_FLIGHT} in flight`, series: { unit: "/s", runs: runs.upload } },
      goal: { of: "ratio", bound: "least", value: 0.8 },
      note: peakOf(setting, "sync"),
    },
    {
      work,
      ours,
      against: { name: "bare loop of read, digest, PUT", series: { unit: "/s", runs: runs.bare } },
    },
    {
      work: "the bare loop of sync alone",
      ours: { unit: "/s", runs: runs.bare },
      against: { name: `uploads, ${IN_FLIGHT} in flight`, series: { unit: "/s", runs: runs.upload } },
    },
    { work, ours, against: versus("/s", setting, runs.rclone, missing), note: "the server of S3 syncs nothing" },
  ];
}

const milliseconds = async (ran: Promise<Ran>): Promise<number> => (await ran).seconds * 1000;

async function againRows(setting: Setting, store: RunningStore, missing: Missing): Promise<readonly Row[]> {
  const { context, images, source, home, rclone } = setting;
  const runs = await interleave(context.runs, {
    sync: () => milliseconds(runCli(store, home, "sync", `${source}/`, ALBUM)),
    walk: () => milliseconds(runProgram(["find", source, "-printf", "%s %T@\n"])),
    rclone: () => (rclone === undefined ? Promise.resolve(Number.NaN) : milliseconds(rclone.sendAgain(source))),
  });
  const work = "the same sync again, no byte sent";
  const ours = { unit: "ms", runs: runs.sync } as const;
  const most = (2000 * images) / 10_000;
  return [
    {
      work,
      ours,
      against: { name: "find that prints sizes and times", series: { unit: "ms", runs: runs.walk } },
      goal: { of: "ours", bound: "most", value: context.smoke ? 2000 : most },
    },
    { work, ours, against: versus("ms", setting, runs.rclone, missing) },
  ];
}

/** Neither command syncs what it writes. What was written before is on the disk when a run begins. */
async function receiveRows(setting: Setting, store: RunningStore, missing: Missing): Promise<readonly Row[]> {
  const { context, images, source, home, rclone, rate } = setting;
  let number = 0;
  const into = async (work: (folder: string) => Promise<number>) => {
    number += 1;
    const folder = join(context.folder, `received-${number}`);
    try {
      await flush(context);
      return await work(folder);
    } finally {
      await empty(folder);
    }
  };
  const runs = await interleave(context.runs, {
    export: () => into(async (folder) => rate("export", await runCli(store, home, "export", ALBUM, folder))),
    sync: () => into(async (folder) => rate("sync down", await runCli(store, home, "sync", ALBUM, `${folder}/`))),
    bare: () => into(async (folder) => images / (await runProgram(bare("bare-export.ts", store, folder))).seconds),
    copy: () => into(async (folder) => images / (await runProgram(["cp", "-r", source, folder])).seconds),
    rclone: () =>
      into(async (folder) => (rclone === undefined ? Number.NaN : images / (await rclone.receive(folder)).seconds)),
  });
  const work = `export of ${images.toLocaleString("en")} files of ${KILOBYTES} KB`;
  const ours = { unit: "/s", runs: runs.export } as const;
  return [
    {
      work,
      ours,
      against: { name: "cp -r", series: { unit: "/s", runs: runs.copy } },
      goal: { of: "ratio", bound: "least", value: 0.7 },
      note: `${peakOf(setting, "export")}; neither syncs`,
    },
    {
      work,
      ours,
      against: { name: "bare loop of GET, digest, write, rename", series: { unit: "/s", runs: runs.bare } },
    },
    {
      work: "the bare loop of export alone",
      ours: { unit: "/s", runs: runs.bare },
      against: { name: "cp -r", series: { unit: "/s", runs: runs.copy } },
    },
    {
      work: "sync of them into a folder",
      ours: { unit: "/s", runs: runs.sync },
      against: { name: "cp -r", series: { unit: "/s", runs: runs.copy } },
      note: peakOf(setting, "sync down"),
    },
    { work, ours, against: versus("/s", setting, runs.rclone, missing) },
  ];
}

const bare = (program: string, { url }: RunningStore, folder: string): readonly string[] => [
  process.execPath,
  join(import.meta.dir, "peers", program),
  url,
  ALBUM,
  folder,
  String(IN_FLIGHT),
];

/**
 * Gives the disk back, but leaves the files: where many have just been deleted, ext4 looks at each of them before it
 * makes a new one, and the next contender would take the blame.
 */
const empty = (folder: string) =>
  runProgram(["find", folder, "-type", "f", "-exec", "truncate", "--size=0", "{}", "+"]);

const flush = ({ folder }: Context) => runProgram(["sync", "-f", folder]);
