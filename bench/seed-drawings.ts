import { Database } from "bun:sqlite";
import { existsSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Image } from "../src/domain/image.ts";
import { drawPhoto } from "../test/page/drawings.ts";
import { openCatalog } from "./catalog.ts";
import { schemaFingerprint } from "./seed.ts";
import { type RunningStore, startStore } from "./store.ts";

const DRAWINGS = 24;
/** Images of a change. */
const AT_ONCE = 2000;
/** Between two pictures of an album, by the camera's clock: 1,000,000 of them are of 19 years. */
const MINUTES_BETWEEN = 10;
const FIRST_TAKEN_AT = Date.parse("2007-01-01T00:00:00Z");

/**
 * A data folder with an album `<count>` for each count, of so many images, each with its record, event and description. Their
 * bytes are those of a few drawings, which the blobs of all of them share: every picture can be seen, and nothing may be deleted.
 * It is made once and then kept.
 */
export async function folderOfDrawings(
  cache: string,
  counts: readonly number[],
  say: (text: string) => void,
): Promise<string> {
  const folder = join(cache, `varied-drawings-${counts.join("-")}-${await schemaFingerprint()}`);
  if (existsSync(folder)) return folder;
  const unfinished = `${folder}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  say(`seeding albums of ${counts.map((count) => count.toLocaleString("en")).join(" and ")} drawings, once`);
  {
    await using store = await startStore({ dataFolder: unfinished, settings: { DESCRIBE: "true" } });
    await uploadDrawings(store);
  }
  for (const count of counts) await fillAlbum(unfinished, count);
  copyDescriptions(join(unfinished, "catalog.sqlite"));
  await rename(unfinished, folder);
  return folder;
}

async function uploadDrawings({ url }: RunningStore): Promise<void> {
  const album = `${url}/v1/albums/drawings`;
  await fetch(album, { method: "PUT" });
  for (let seed = 0; seed < DRAWINGS; seed++) {
    const path = `${album}/images/${seed}/content`;
    const response = await fetch(path, {
      method: "PUT",
      headers: { "Content-Type": "image/jpeg" },
      body: await drawPhoto(seed),
    });
    if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
  }
  const undescribed = async () => {
    const { items } = (await (await fetch(`${album}/images`)).json()) as { items: readonly Image[] };
    return items.filter(({ described }) => !described).length;
  };
  while ((await undescribed()) > 0) await Bun.sleep(50);
}

interface Drawing {
  readonly width: number;
  readonly height: number;
  readonly size: number;
  readonly sha256: string;
  readonly location: string;
}

const DRAWINGS_OF = `select images.width, images.height, images.size, images.sha256, blobs.location from images
  join albums on albums.id = images.album_id join blobs on blobs.image_id = images.id where albums.name = 'drawings'
  order by cast(images.name as integer)`;

async function fillAlbum(dataFolder: string, count: number): Promise<void> {
  const reader = new Database(join(dataFolder, "catalog.sqlite"), { readonly: true });
  const drawings = reader.query<Drawing, []>(DRAWINGS_OF).all();
  reader.close();
  await using catalog = await openCatalog(dataFolder);
  const albumId = Bun.randomUUIDv7();
  await catalog.write({
    type: "createAlbum",
    id: albumId,
    name: String(count),
    fields: { title: null, description: null, metadata: {} },
  });
  for (let first = 0; first < count; first += AT_ONCE) {
    const images = Array.from({ length: Math.min(AT_ONCE, count - first) }, (_, index) => {
      const name = String(first + index);
      const { width, height, size, sha256, location } = drawings[(first + index) % drawings.length] as Drawing;
      return {
        id: Bun.randomUUIDv7(),
        name,
        info: { contentType: "image/jpeg", width, height, frames: 1, hasAlpha: false, orientation: 1 } as const,
        blob: { key: `${sha256}.${count}-${name}`, location, size, sha256 },
      };
    });
    await catalog.write({ type: "putImages", albumId, mode: "create", images });
  }
}

/** A change for each would make as many events, which nothing here reads. */
function copyDescriptions(path: string): void {
  using db = new Database(path);
  db.run("pragma cache_size = -1000000");
  db.run(`create temp table drawn as select sha256, placeholder, dominant_colour from images where album_id =
    (select id from albums where name = 'drawings')`);
  db.run("create unique index temp.drawn_sha256 on drawn (sha256)");
  db.run(
    `update images set described = 1, sound = 1, taken_at = ? + cast(name as integer) * ?,
      placeholder = (select ${variedPlaceholder("placeholder")} from drawn where drawn.sha256 = images.sha256),
      dominant_colour = (select dominant_colour from drawn where drawn.sha256 = images.sha256)
      where album_id <> (select id from albums where name = 'drawings')`,
    [FIRST_TAKEN_AT, MINUTES_BETWEEN * 60_000],
  );
}

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Another one for each image, as photos have: four of the characters that say how light and dark are spread count the images. */
const variedPlaceholder = (placeholder: string): string => {
  const digits = [18, 12, 6, 0].map((shift) => `substr('${BASE64}', (cast(name as integer) >> ${shift} & 63) + 1, 1)`);
  return `substr(${placeholder}, 1, 8) || ${digits.join(" || ")} || substr(${placeholder}, 13)`;
};
