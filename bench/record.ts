import { join } from "node:path";
import { type Benchmark, interleave } from "./frame.ts";
import { jpegOf } from "./images.ts";
import { LOAD_PLACE, runGetLoad } from "./load.ts";
import { canPin, SERVER_CORE } from "./machine.ts";
import { startPeer } from "./peers/peer.ts";
import { createAlbum, putImage, startStore } from "./store.ts";

const CONNECTIONS = 32;

export const record: Benchmark = {
  name: "record",
  about: `GET of an image's record on ${canPin ? "one core" : "all cores"} against a bare answer of the same bytes`,
  async run(context) {
    await using store = await startStore({ dataFolder: join(context.folder, "data"), core: SERVER_CORE });
    await createAlbum(store, "bench");
    const { links } = await putImage(store, "bench", "image.jpg", await jpegOf(4096));
    const file = join(context.folder, "record.json");
    await Bun.write(file, await (await fetch(store.url + links.self)).bytes());
    await using bare = await startPeer("json.ts", [file], { core: SERVER_CORE });

    const load = { path: links.self, connections: CONNECTIONS, seconds: context.seconds(4) };
    await runGetLoad({ ...load, port: store.port, seconds: context.seconds(2) });
    const { ours, theirs } = await interleave(context.runs, {
      ours: async () => (await runGetLoad({ ...load, port: store.port })).perSecond,
      theirs: async () => (await runGetLoad({ ...load, port: bare.port })).perSecond,
    });
    return [
      {
        work: `GET image record, ${CONNECTIONS} connections`,
        ours: { unit: "/s", runs: ours },
        against: { name: "bare Bun.serve, same bytes", series: { unit: "/s", runs: theirs } },
        note: LOAD_PLACE,
      },
    ];
  },
};
