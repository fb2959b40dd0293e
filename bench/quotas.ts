import { join } from "node:path";
import { nodeOptions, runningServers, serversAreMissing } from "./fleet-servers.ts";
import { type Benchmark, type Context, interleave, type Row } from "./frame.ts";
import { jpegOf } from "./images.ts";
import { createAlbum, createImages, type RunningStore, type StoreOptions, setQuota, startStore } from "./store.ts";

const KILOBYTES = 4;
const IN_FLIGHT = 32;
const ALBUMS = Array.from({ length: 16 }, (_, index) => `bench${index}`);
const QUOTAS = { none: [], album: ALBUMS.map((album) => `albums/${album}`), store: ["store"] } as const;
type Quota = keyof typeof QUOTAS;

export const quotas: Benchmark = {
  name: "quotas",
  about: "durable image creates with a quota of the album or of the store, against no quota",
  async run(context) {
    const file = join(context.folder, `${KILOBYTES}.jpg`);
    await Bun.write(file, await jpegOf(KILOBYTES * 1024));
    const rows = [...(await compare(context, file, "SQLite", async () => ({})))];
    if (serversAreMissing()) return rows;
    const servers = await runningServers();
    const options = async () => nodeOptions(servers, await servers.createPlace()).settings.CATALOG_URL;
    rows.push(...(await compare(context, file, "PostgreSQL", async () => ({ CATALOG_URL: await options() }))));
    return rows;
  },
};

/** Bytes go to files on both engines, so that the catalog is what differs. */
async function compare(
  context: Context,
  file: string,
  engine: string,
  settingsOf: () => Promise<NonNullable<StoreOptions["settings"]>>,
): Promise<readonly Row[]> {
  await using stack = new AsyncDisposableStack();
  const start = async (quota: Quota): Promise<RunningStore> => {
    const dataFolder = join(context.folder, `${engine}-${quota}`);
    const store = stack.use(await startStore({ dataFolder, settings: await settingsOf() }));
    for (const album of ALBUMS) await createAlbum(store, album);
    for (const path of QUOTAS[quota]) await setQuota(store, path, { maxBytes: 1e15, maxImages: 1e12 });
    return store;
  };
  const stores = { none: await start("none"), album: await start("album"), store: await start("store") };
  const rows: Row[] = [];
  for (const albums of [ALBUMS.slice(0, 1), ALBUMS]) {
    const measure = (quota: Quota, seconds: number) => async () => {
      const results = await Promise.all(
        albums.map(async (album) =>
          createImages(stores[quota], file, { seconds, inFlight: IN_FLIGHT / albums.length, album }),
        ),
      );
      return results.reduce((sum, { perSecond }) => sum + perSecond, 0);
    };
    for (const quota of Object.keys(QUOTAS) as Quota[]) await measure(quota, context.seconds(2))();
    const seconds = context.seconds(4);
    const runs = await interleave(context.runs, {
      none: measure("none", seconds),
      album: measure("album", seconds),
      store: measure("store", seconds),
    });
    for (const quota of ["album", "store"] as const) {
      rows.push({
        work: `create image, ${KILOBYTES} KB, ${engine}, ${IN_FLIGHT} in flight, albums: ${albums.length}, quota of ${quota === "album" ? "each album" : "the store"}`,
        ours: { unit: "/s", runs: runs[quota] },
        against: { name: "no quota", series: { unit: "/s", runs: runs.none } },
        goal: { of: "ratio", bound: "least", value: quota === "album" ? 0.95 : 0.8 },
      });
    }
  }
  return rows;
}
