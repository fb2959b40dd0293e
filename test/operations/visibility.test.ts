import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { openSqliteCatalog } from "../../src/adapters/catalog/sqlite.ts";
import type { Right } from "../../src/domain/access.ts";
import { EMPTY_ALBUM_FIELDS } from "../../src/domain/album.ts";
import { type Caller, type Grant, LOCAL } from "../../src/domain/caller.ts";
import { StoreError } from "../../src/domain/errors.ts";
import type { Image } from "../../src/domain/image.ts";
import type { Page, PageStart } from "../../src/domain/page.ts";
import { createAlbum, deleteAlbum, getAlbum, listAlbums, putAlbum, updateAlbum } from "../../src/operations/albums.ts";
import { deleteCursor, listCursors, rewindCursor } from "../../src/operations/cursors.ts";
import { createEventFeed } from "../../src/operations/event-feed.ts";
import { followEvents, listEvents } from "../../src/operations/events.ts";
import { createRunningKeys } from "../../src/operations/idempotency.ts";
import {
  deleteImage,
  describeImageAgain,
  findContent,
  getImage,
  getImageById,
  listImages,
  updateImage,
} from "../../src/operations/images.ts";
import { createLinkSigner } from "../../src/operations/link-signer.ts";
import { createLink } from "../../src/operations/links.ts";
import type { Catalog } from "../../src/ports.ts";
import { createImage } from "../catalog-changes.ts";
import { openDatabaseFile } from "../open-database-file.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";

const never = new AbortController().signal;
const grant = (albums: Grant["albums"], ...rights: Right[]): Grant => ({ rights: new Set(rights), albums });
const keyWith = (...grants: Grant[]): Caller => ({ kind: "key", id: "k", name: "k", grants });

/** Reads, shares and follows `mine` and what begins with `u-`, writes to `u-7-` and deletes there only. */
const limited = keyWith(
  grant({ names: ["mine", "u-*"] }, "read", "share", "events"),
  grant({ names: ["u-7-*"] }, "write", "delete"),
);
const sender = keyWith(grant({ names: ["mine"] }, "write"));

let folder: string;
beforeAll(async () => {
  folder = await newFolder("visibility");
});
afterAll(() => removeFolder(folder));

const onFatal = (error: Error) => {
  throw error;
};

async function openCatalog(name: string): Promise<Catalog & { path: string }> {
  const path = join(folder, `${name}.sqlite`);
  return { ...(await openSqliteCatalog({ path, exclusive: true, writer: "inline", onFatal })), path };
}

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "done",
    (error: unknown) => (error instanceof StoreError ? error.code : String(error)),
  );

const codes = (works: readonly Promise<unknown>[]) => Promise.all(works.map(codeOf));

describe("a caller with grants on some albums", () => {
  let deps: Parameters<typeof createAlbum>[0] & Parameters<typeof createLink>[0];
  let hidden: Image;
  let seen: Image;
  let writable: Image;
  beforeAll(async () => {
    const catalog = await openCatalog("some");
    const links = createLinkSigner([{ id: "a", secret: "s".repeat(43) }]);
    deps = { catalog, runningKeys: createRunningKeys(), links, presets: new Map(), publicOriginals: "whole" };
    const images: Image[] = [];
    for (const name of ["hidden", "mine", "u-7-a"]) {
      const album = (
        await createAlbum(deps, { caller: LOCAL, name, fields: EMPTY_ALBUM_FIELDS, idempotency: undefined })
      ).value;
      images.push(await createImage(catalog, album, "i"));
    }
    [hidden, seen, writable] = images as [Image, Image, Image];
  });
  afterAll(() => deps.catalog[Symbol.asyncDispose]());

  /** Reads of an image and its album, and writes that change nothing where they are refused. */
  const reads = (caller: Caller, { id, sha256, album, name }: Image): Promise<unknown>[] =>
    [
      getAlbum(deps, { caller, name: album }),
      getImage(deps, { caller, album, name }),
      findContent(deps, { caller, album, name, need: "originals" }),
      createLink(deps, { caller, album, name, life: 60, variant: {} }),
      getImageById(deps, { caller, id }),
      findContent(deps, { caller, id, sha256, need: "originals" }),
    ].map(async (read) => read);
  const writes = (caller: Caller, { id, album, name }: Image) => [
    updateAlbum(deps, { caller, name: album, patch: { title: "t" } }),
    putAlbum(deps, { caller, name: album, fields: EMPTY_ALBUM_FIELDS }),
    deleteAlbum(deps, { caller, name: album, recursive: true }),
    updateImage(deps, { caller, album, name }, { title: "t" }),
    deleteImage(deps, { caller, album, name }),
    describeImageAgain(deps, { caller, id }),
  ];

  test("reads what it may read", async () => {
    expect(new Set(await codes([...reads(limited, seen), ...reads(limited, writable)]))).toEqual(new Set(["done"]));
  });

  test("finds nothing of an album that is hidden, as if it were not there", async () => {
    const missing = { ...hidden, album: "none", id: "none" };
    expect(await codes(reads(limited, hidden))).toEqual(await codes(reads(limited, missing)));
    expect(await codes(writes(limited, hidden))).toEqual(await codes(writes(limited, missing)));
    const texts = (image: Image) =>
      Promise.all(
        [...reads(limited, image), ...writes(limited, image)].map((work) =>
          work.catch((error: Error) => error.message),
        ),
      );
    expect(await texts(hidden)).toEqual(await texts(missing));
  });

  test("is refused what it may not do where it may do something else", async () => {
    expect(await codes(writes(limited, seen))).toEqual(Array(6).fill("forbidden"));
    expect(await codes(reads(sender, seen))).toEqual(Array(6).fill("forbidden"));
    expect((await listAlbums(deps, sender, { orderBy: "name", limit: 9 }, { signal: never })).items).toEqual([]);
  });

  test("makes and renames albums under names that it may write to, and learns of no other name whether it is taken", async () => {
    const fields = EMPTY_ALBUM_FIELDS;
    for (const name of ["hidden", "free"]) {
      expect(await codeOf(createAlbum(deps, { caller: limited, name, fields, idempotency: undefined }))).toBe(
        "forbidden",
      );
      expect(await codeOf(updateAlbum(deps, { caller: limited, name: "u-7-a", patch: { name } }))).toBe("forbidden");
    }
    expect(await codeOf(putAlbum(deps, { caller: limited, name: "u-7-b", fields }))).toBe("done");
    expect(await codeOf(updateAlbum(deps, { caller: limited, name: "u-7-b", patch: { name: "u-7-c" } }))).toBe("done");
  });

  test("replaces by name an album that it may write to by id", async () => {
    const { id } = await getAlbum(deps, { caller: LOCAL, name: "mine" });
    const caller = keyWith(grant({ ids: [id] }, "write"));
    expect(await codeOf(putAlbum(deps, { caller, name: "mine", fields: EMPTY_ALBUM_FIELDS }))).toBe("done");
    expect(await codeOf(updateAlbum(deps, { caller, name: "mine", patch: { name: "u-1" } }))).toBe("forbidden");
  });

  test("signs variants that cost work only where it may transform", async () => {
    const caller = keyWith(grant({ names: ["*"] }, "read", "share"), grant({ names: ["mine"] }, "transform"));
    const link = ({ album, name }: Image) => createLink(deps, { caller, album, name, life: 60, variant: { w: "17" } });
    expect(await codes([link(seen), link(hidden)])).toEqual(["done", "variant_not_allowed"]);
  });

  test("has no say in what belongs to the whole store", async () => {
    const caller = keyWith(grant({ names: ["*"] }, "admin", "read"));
    const asked = [
      listCursors(deps, caller),
      deleteCursor(deps, { caller, name: "x" }),
      rewindCursor(deps, { caller, name: "x", to: { time: 0 } }),
    ];
    expect(await codes(asked)).toEqual(asked.map(() => "forbidden"));
  });

  test("follows the events of its albums beside others who ask the same, and gets none of theirs", async () => {
    using eventFeed = createEventFeed(deps.catalog);
    const reader = { catalog: deps.catalog, eventFeed };
    const albumsOf = async (caller: Caller) => {
      const page = await listEvents(reader, { caller, after: undefined, limit: 100, wait: 0 }, []);
      return new Set(page.events.map(({ event }) => event.attributes.partitionkey));
    };
    // The third waits with the second for the first to end, and would share its answer if it asked the same.
    const [all, some, ...again] = await Promise.all([LOCAL, limited, LOCAL, limited].map(albumsOf));
    expect(all?.has(hidden.albumId)).toBeTrue();
    expect(some).toEqual(new Set([...(all ?? [])].filter((id) => id !== hidden.albumId)));
    expect(again).toEqual([all, some] as never);
    const stop = new AbortController();
    const pages = followEvents(reader, { caller: limited, after: undefined, limit: 3, heartbeat: 10 }, [stop.signal]);
    for await (const { events } of pages) {
      expect(events.map(({ event }) => event.attributes.partitionkey)).not.toContain(hidden.albumId);
      if (events.length === 0) stop.abort();
    }
  });
});

describe("of a large store a caller who sees some of it", () => {
  const [ALL, EVERY] = [24_000, 4];
  let catalog: Awaited<ReturnType<typeof openCatalog>>;
  beforeAll(async () => {
    catalog = await openCatalog("large");
    using db = openDatabaseFile(catalog.path);
    const numbers = `with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < ${ALL})`;
    // More visible ones than are entered by an index of their own, and after the first all of them behind the hidden ones.
    const name = `case when n % ${EVERY} = 0 then 'v' else 'h' end || printf('%06d', n)`;
    const time = `case when n % ${EVERY} = 0 and n > ${EVERY} then n + ${ALL} else n end`;
    db.run(
      `${numbers} insert into albums (id, name, metadata, revision, created_at, updated_at)
       select printf('a%06d', n), ${name}, '{}', 1, ${time}, n from numbers`,
    );
    db.run(
      `${numbers} insert into images (id, album_id, name, metadata, tags, content_type, size, sha256, width, height, frames,
         has_alpha, orientation, described, revision, created_at, updated_at)
       select printf('i%06d', n), printf('a%06d', n), ${name}, '{}', '[]', 'image/jpeg', 1, 's', 1, 1, 1, 0, 1, 1, 1, ${time}, n
       from numbers`,
    );
    db.run(
      `${numbers} insert into events (id, type, album_id, time, data)
       select printf('e%06d', n), 'imagestore.album.created', printf('a%06d', n), n, json_object('name', ${name}) from numbers`,
    );
  });
  afterAll(() => catalog[Symbol.asyncDispose]());

  const caller = keyWith(grant({ names: ["v*"] }, "read", "events"));
  const LIMIT = 1000;

  test.each([
    ["albums", "name"],
    ["albums", "-createdAt"],
    ["albums", "createdAt"],
    ["images", "name"],
    ["images", "createdAt"],
    ["images", "-updatedAt"],
  ] as const)("gets full pages of %s by %s, whose tokens name nothing that is hidden", async (kind, orderBy) => {
    const list = kind === "albums" ? listAlbums : listImages;
    let count = 0;
    for (let start: PageStart | undefined; ; ) {
      const query = { orderBy, limit: LIMIT, ...(start && { start }) };
      const page: Page<{ readonly name: string; readonly id: string }> = await list({ catalog }, caller, query, {
        signal: never,
      });
      expect(page.items.every(({ name }) => name.startsWith("v"))).toBeTrue();
      count += page.items.length;
      if (page.next === undefined) break;
      expect(page.items).toHaveLength(LIMIT);
      expect(page.next.after.id).toBe(page.items.at(-1)?.id ?? "");
      start = page.next;
    }
    expect(count).toBe(ALL / EVERY);
  });

  test("gets full pages of the log", async () => {
    using eventFeed = createEventFeed(catalog);
    const sizes: number[] = [];
    for (let after: Parameters<typeof listEvents>[1]["after"]; ; ) {
      const page = await listEvents({ catalog, eventFeed }, { caller, after, limit: LIMIT, wait: 0 }, []);
      if (page.events.length === 0) break;
      sizes.push(page.events.length);
      after = page.next;
    }
    expect(sizes).toEqual(Array(ALL / EVERY / LIMIT).fill(LIMIT));
  });
});
