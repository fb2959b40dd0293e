import { Database } from "bun:sqlite";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { ALBUM_COLUMNS } from "../src/adapters/catalog/rows.ts";
import type { Right } from "../src/domain/access.ts";
import { type Caller, LOCAL } from "../src/domain/caller.ts";
import type { LogPosition } from "../src/domain/event.ts";
import type { OrderBy, Page, PageQuery, PageStart } from "../src/domain/page.ts";
import { listAlbums } from "../src/operations/albums.ts";
import { createEventFeed } from "../src/operations/event-feed.ts";
import { listEvents } from "../src/operations/events.ts";
import { listImages } from "../src/operations/images.ts";
import type { Catalog } from "../src/ports.ts";
import { openCatalog } from "./catalog.ts";
import { type Benchmark, type Context, interleave, type Row } from "./frame.ts";

const VISIBLE = 1000;
const IMAGES_EACH = 10;
const PAGES = [50, 1000];
const EVENTS_OF = 10;
const never = new AbortController().signal;

const numbers = (count: number) =>
  `with recursive numbers (n) as (select 0 union all select n + 1 from numbers where n < ${count - 1})`;
const time = (n: string) => `1700000000000 + ${n} * 104729 % 100000007`;

/** A catalog with `albums` albums, of which {@link VISIBLE} are spread evenly and have names that begin with `v-`. */
async function seeded(context: Context, name: string, albums: number): Promise<Catalog> {
  const folder = join(context.folder, name);
  await mkdir(folder);
  await (await openCatalog(folder))[Symbol.asyncDispose]();
  const db = new Database(join(folder, "catalog.sqlite"));
  const album = (n: string) =>
    `case when ${n} % ${albums / VISIBLE} = 0 then 'v-' else 'h-' end || printf('%06d', ${n} * 7919 % ${albums})`;
  db.run("pragma synchronous = off");
  db.run(
    `${numbers(albums)} insert into albums (id, name, metadata, image_count, revision, created_at, updated_at)
     select printf('a%06d', n), ${album("n")}, '{}', ${IMAGES_EACH}, 1, ${time("n")}, ${time("n")} from numbers`,
  );
  db.run(
    `${numbers(albums * IMAGES_EACH)} insert into images (id, album_id, name, metadata, tags, content_type, size, sha256,
       width, height, frames, has_alpha, orientation, described, revision, created_at, updated_at)
     select printf('i%07d', n), printf('a%06d', n / ${IMAGES_EACH}), printf('%07d', n * 7919 % ${albums * IMAGES_EACH}), '{}',
       '[]', 'image/jpeg', 1, printf('%064d', n), 1, 1, 1, 0, 1, 1, 1, ${time("n")}, ${time("n")} from numbers`,
  );
  db.run(
    `${numbers(albums)} insert into events (id, type, album_id, time, data)
     select printf('e%06d', n), 'imagestore.album.created', printf('a%06d', n % ${Math.ceil(albums / 10)}), n,
       json_object('name', ${album(`(n % ${Math.ceil(albums / 10)})`)}) from numbers`,
  );
  db.close();
  return openCatalog(folder);
}

const callerOf = (albums: { readonly names?: readonly string[]; readonly ids?: readonly string[] }): Caller => ({
  ...LOCAL,
  kind: "key",
  grants: [{ rights: new Set<Right>(["read", "events"]), albums }],
});

export const limited: Benchmark = {
  name: "limited",
  about: "listings and events of callers who see some albums, against callers who see a store of only these",
  async run(context) {
    const albums = context.smoke ? 10_000 : 100_000;
    await using large = await seeded(context, "large", albums);
    await using small = await seeded(context, "small", VISIBLE);
    const ids = Array.from(
      { length: VISIBLE },
      (_, index) => `a${String((index * albums) / VISIBLE).padStart(6, "0")}`,
    );
    const callers = { "by a prefix": callerOf({ names: ["v-*"] }), "by ids": callerOf({ ids }) };
    const rows: Row[] = [];
    for (const [what, list] of Object.entries({ albums: listAlbums, images: listImages }))
      for (const orderBy of ["name", "-createdAt"] as const)
        for (const [how, caller] of Object.entries(callers))
          for (const limit of PAGES) {
            const { ours, theirs } = await interleave(context.runs, {
              ours: () => pagesPerSecond(context, large, list as List, caller, { orderBy, limit }),
              theirs: () => pagesPerSecond(context, small, list as List, LOCAL, { orderBy, limit }),
            });
            rows.push({
              work: `page of ${limit} ${what} by ${orderBy}, of ${VISIBLE.toLocaleString("en")} of ${albums.toLocaleString("en")} albums ${how}`,
              ours: { unit: "/s", runs: ours },
              against: { name: `all of ${VISIBLE.toLocaleString("en")} albums`, series: { unit: "/s", runs: theirs } },
              ...(limit === VISIBLE ? { goal: { of: "ratio", bound: "least", value: 0.5 } as const } : {}),
            });
          }
    return [...rows, await bareRow(context, albums), ...(await eventRows(context, large, albums))];
  },
};

type List = (
  deps: { readonly catalog: Catalog },
  caller: Caller,
  query: PageQuery<OrderBy & "name">,
  options: { readonly signal: AbortSignal },
) => Promise<Page<unknown>>;

/** Page after page to the end of the listing, again and again. */
async function pagesPerSecond(
  context: Context,
  catalog: Catalog,
  list: List,
  caller: Caller,
  { orderBy, limit }: { readonly orderBy: OrderBy; readonly limit: number },
) {
  const begun = performance.now();
  const end = begun + context.seconds(1) * 1000;
  let pages = 0;
  for (let start: PageStart | undefined; performance.now() < end; pages++) {
    const query = { orderBy: orderBy as "name", limit, ...(start && { start }) };
    const page = await list({ catalog }, caller, query, { signal: never });
    if (page.items.length < limit && page.next !== undefined) throw new Error("A page is short.");
    start = page.next;
  }
  return (pages * 1000) / (performance.now() - begun);
}

/** What the engine alone takes for the rows of the albums, which are far apart in the large store: no page can be faster. */
async function bareRow(context: Context, albums: number): Promise<Row> {
  const open = (store: string) => new Database(join(context.folder, store, "catalog.sqlite"), { readonly: true });
  using large = open("large");
  using small = open("small");
  const { ours, theirs } = await interleave(context.runs, {
    ours: async () => rowsPerSecond(context, large),
    theirs: async () => rowsPerSecond(context, small),
  });
  return {
    work: `bare SQLite: the rows of ${VISIBLE.toLocaleString("en")} of ${albums.toLocaleString("en")} albums by their row numbers`,
    ours: { unit: "/s", runs: ours },
    against: { name: `all of ${VISIBLE.toLocaleString("en")} albums`, series: { unit: "/s", runs: theirs } },
  };
}

function rowsPerSecond(context: Context, db: Database): number {
  db.run("pragma cache_size = -16384");
  const keys = db
    .query<{ key: number }, []>("select rowid as key from albums where name like 'v-%' order by name")
    .all();
  const list = JSON.stringify(keys.map(({ key }) => key));
  using rows = db.prepare<unknown, [string]>(
    `select ${ALBUM_COLUMNS} from (select value from json_each(?1)) k cross join albums a where a.rowid = k.value`,
  );
  const begun = performance.now();
  const end = begun + context.seconds(1) * 1000;
  let times = 0;
  for (; performance.now() < end; times++)
    if (rows.all(list).length !== VISIBLE) throw new Error("Albums are missing.");
  return (times * 1000) / (performance.now() - begun);
}

async function eventRows(context: Context, catalog: Catalog, events: number): Promise<readonly Row[]> {
  using eventFeed = createEventFeed(catalog);
  const step = (events / 10 / VISIBLE) * 1 * 100;
  const ids = Array.from({ length: EVENTS_OF }, (_, index) => `a${String(index * step).padStart(6, "0")}`);
  const names: string[] = [];
  const all = await catalog.albums({ visibility: { ids, names: [], public: false }, orderBy: "name", limit: 1000 });
  for (const { name } of all.items) names.push(name);
  const readAll = async (caller: Caller, expected: number) => {
    const begun = performance.now();
    let found = 0;
    for (let after: LogPosition | undefined; ; ) {
      const page = await listEvents({ catalog, eventFeed }, { caller, after, limit: 100, wait: 0 }, []);
      found += page.events.length;
      if (page.next.seq === (await catalog.log()).lastSequence) break;
      after = page.next;
    }
    if (found !== expected) throw new Error(`${found} events were read, not ${expected}.`);
    return performance.now() - begun;
  };
  const rows: Row[] = [];
  for (const [how, caller] of Object.entries({ ids: callerOf({ ids }), names: callerOf({ names }) })) {
    const { ours } = await interleave(context.runs, { ours: () => readAll(caller, EVENTS_OF * 10) });
    rows.push({
      work: `events of ${EVENTS_OF} albums by ${how}, among ${events.toLocaleString("en")}, from the first to the last`,
      ours: { unit: "ms", runs: ours },
    });
  }
  return rows;
}
