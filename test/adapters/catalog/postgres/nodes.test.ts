import { describe, expect, test } from "bun:test";
import { EMPTY_ALBUM_FIELDS } from "../../../../src/domain/album.ts";
import type { StoredEvent } from "../../../../src/domain/event.ts";
import type { Catalog } from "../../../../src/ports.ts";
import { albumNamed, createAlbum, createImage, describeImage, imageNamed, namesOf } from "../../../catalog-changes.ts";
import { expectCode } from "../../../errors.ts";
import { postgresIsMissing } from "../../../services/postgres-server.ts";
import { startProxy } from "../../../services/tcp-proxy.ts";
import { until } from "../../../waiting.ts";
import { connectTo, usePostgresCatalogs } from "../open-postgres.ts";

const statusesOf = (outcomes: readonly PromiseSettledResult<unknown>[]) =>
  outcomes.map((outcome) =>
    outcome.status === "fulfilled" ? "done" : ((outcome.reason as { code?: string }).code ?? String(outcome.reason)),
  );

const nap = () => Bun.sleep(Math.random() < 0.2 ? Math.random() * 15 : 0);

if (!postgresIsMissing()) {
  const { open, createDatabase } = usePostgresCatalogs();

  const twoNodes = async () => {
    const url = await createDatabase();
    return [await open(url), await open(url)] as const;
  };

  describe("several PostgreSQL nodes", () => {
    test("one of several nodes that create the same album name succeeds", async () => {
      const nodes = await twoNodes();
      for (let round = 0; round < 10; round++) {
        const name = `taken ${round}`;
        const albums = await Promise.all(nodes.map((node, index) => createAlbum(node, `${round}-${index}`)));
        const renames = await Promise.allSettled(
          nodes.map((node, index) =>
            node.write({ type: "updateAlbum", albumId: albums[index]?.id as string, patch: { name } }),
          ),
        );
        expect(statusesOf(renames).toSorted()).toEqual(["album_exists", "done"]);
        const creations = await Promise.allSettled(nodes.map((node) => createAlbum(node, `new ${round}`)));
        expect(statusesOf(creations).toSorted()).toEqual(["album_exists", "done"]);
        const album = albums[0] as NonNullable<(typeof albums)[0]>;
        const uploads = await Promise.allSettled(nodes.map((node) => createImage(node, album, "i")));
        expect(statusesOf(uploads).toSorted()).toEqual(["done", "image_exists"]);
      }
    });

    test("a PUT of an album that another node has just created replaces it", async () => {
      const nodes = await twoNodes();
      for (let round = 0; round < 10; round++) {
        const results = await Promise.all(
          nodes.map((node, index) =>
            node.write({
              type: "putAlbum",
              id: Bun.randomUUIDv7(),
              name: `a${round}`,
              fields: { ...EMPTY_ALBUM_FIELDS, title: String(index) },
            }),
          ),
        );
        expect(results.filter(({ created }) => created)).toHaveLength(1);
        const replaced = results.find(({ created }) => !created)?.album;
        expect(replaced?.revision).toBe(2);
        expect(await nodes[0].album(`a${round}`, "all")).toEqual(replaced as never);
      }
    });

    test("an idempotency key is used once across nodes", async () => {
      const nodes = await twoNodes();
      const idempotency = { scope: "s", key: "k", fingerprint: "f" };
      const creations = await Promise.all(
        [...nodes, ...nodes].map((node) => node.write(albumNamed("a", { idempotency }))),
      );
      expect(creations.filter(({ replayed }) => replayed)).toHaveLength(3);
      expect(new Set(creations.map(({ value }) => value.id)).size).toBe(1);
    });

    test("nodes are notified of each other's events", async () => {
      const [one, other] = await twoNodes();
      let heard = 0;
      other.onEvents(() => heard++);
      await until(() => heard > 0);
      const before = heard;
      await createAlbum(one, "a");
      await until(() => heard > before);
      expect((await other.events({ visibility: "all", limit: 9 })).events).toHaveLength(1);
    });

    test("an image that is described on one node while another moves it has each event in the album where it is", async () => {
      const [one, other] = await twoNodes();
      const albums = [await createAlbum(one, "from"), await createAlbum(one, "to")] as const;
      const allNumbered = () => until(async () => (await one.unreadableSeconds()) === 0);
      for (let round = 0; round < 60; round++) {
        const [from, to] = round % 2 === 0 ? albums : [albums[1], albums[0]];
        const { id, name } = await createImage(one, from, `i${round}`);
        const [undescribed] = await one.undescribedImages({ limit: 1, order: "newest" });
        await allNumbered();
        const { lastSequence } = await one.log();
        const describing = async () => {
          await nap();
          await describeImage(other, id, undescribed?.blobKey ?? "");
          await other.write({ type: "forgetDescription", imageId: id });
        };
        const move = { albumId: from.id, name, target: { albumId: to.id }, ifExists: "fail" } as const;
        const moving = async () => {
          await nap();
          await one.write({ type: "moveImage", ...move });
        };
        await Promise.all([describing(), moving()]);
        await allNumbered();
        const { epoch } = await one.log();
        const { events } = await one.events({ visibility: "all", after: { epoch, seq: lastSequence }, limit: 10 });
        let place: string | undefined = from.id;
        for (const { type, albumId, data } of events) {
          if (type === "imagestore.image.created") place = albumId;
          expect(albumId).toBe(place as string);
          const album = albums.find(({ id: albumOf }) => albumOf === place)?.name as string;
          expect(JSON.parse(data)).toMatchObject({ albumId: place as string, album });
          if (type === "imagestore.image.deleted") place = undefined;
        }
        expect(place).toBe(to.id);
        expect((await one.imageById(id, "all"))?.image).toMatchObject({ albumId: to.id, described: false });
      }
    });

    test("readers on every node see each event once and in album order during concurrent writes", async () => {
      const url = await createDatabase();
      const nodes = [await open(url), await open(url), await open(url)] as const;
      const albums = await Promise.all(Array.from({ length: 4 }, (_, index) => createAlbum(nodes[0], `a${index}`)));
      const committed: string[] = [];
      const writer = async (number: number) => {
        await using database = await connectTo(url);
        for (let turn = 0; turn < 30; turn++) {
          const { id } = albums[(number + turn) % albums.length] as { id: string };
          const event = `${number}-${turn}`;
          await database.query("begin");
          // Its revision counts what was written before it in the same album.
          const [row] = await database.query<{ revision: string }>(
            "update albums set revision = revision + 1 where id = $1 returning revision",
            [id],
          );
          await nap();
          await database.query(
            "insert into events (id, type, album_id, time, data) values ($1, 'imagestore.album.updated', $2, 0, $3)",
            [event, id, JSON.stringify({ revision: Number(row?.revision) })],
          );
          await nap();
          const keep = Math.random() > 0.1;
          await database.query(keep ? "commit" : "rollback");
          if (keep) committed.push(event);
        }
      };
      let writing = true;
      const follow = async (node: Catalog) => {
        const read: StoredEvent[] = [];
        const { epoch } = await node.log();
        let after = { epoch, seq: 0 };
        for (;;) {
          const last = !writing;
          const { events, next, atEnd } = await node.events({ visibility: "all", after, limit: 7 });
          read.push(...events);
          after = next;
          if (last && atEnd) return read;
          await Bun.sleep(1);
        }
      };
      const following = nodes.map(follow);
      await Promise.all(Array.from({ length: 10 }, (_, number) => writer(number)));
      await until(async () => (await nodes[0].log()).lastSequence >= committed.length + albums.length);
      writing = false;
      const [log, ...others] = await Promise.all(following);
      for (const other of others) expect(other).toEqual(log as StoredEvent[]);
      const events = log as StoredEvent[];
      expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
      const written = events.filter(({ type }) => type === "imagestore.album.updated");
      expect(written.map(({ id }) => id).toSorted()).toEqual(committed.toSorted());
      for (const { id } of albums) {
        const revisions = written
          .filter(({ albumId }) => albumId === id)
          .map(({ data }) => (JSON.parse(data) as { revision: number }).revision);
        expect(revisions).toEqual(revisions.toSorted((a, b) => a - b));
      }
      const { bytes } = await nodes[0].log();
      expect(bytes).toBe(events.reduce((sum, { data }) => sum + Buffer.byteLength(data), 0));
    });
  });

  describe("PostgreSQL failures", () => {
    test("a change whose connection closes before the commit runs on another connection", async () => {
      const url = await createDatabase();
      const catalog = await open(url);
      const album = await createAlbum(catalog, "a");
      await using other = await connectTo(url);
      await other.query("begin");
      await other.query("select 1 from albums for update");
      const writing = createImage(catalog, album, "i");
      const waiting = "from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
      await until(async () => (await other.query(`select 1 ${waiting}`)).length > 0);
      await other.query(`select pg_terminate_backend(pid) ${waiting}`);
      await other.query("commit");
      expect((await writing).name).toBe("i");
      expect((await catalog.album("a", "all"))?.imageCount).toBe(1);
    });

    test("the catalog recovers, and receives events, after all connections were closed", async () => {
      const url = await createDatabase();
      const catalog = await open(url);
      const beside = await open(url, { as: "beside" });
      await Promise.all(Array.from({ length: 5 }, (_, index) => createAlbum(catalog, `a${index}`)));
      let heard = 0;
      catalog.onEvents(() => heard++);
      await using database = await connectTo(url);
      await database.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
      );
      expect(await catalog.album("a1", "all")).toBeDefined();
      await createAlbum(beside, "b");
      const before = heard;
      await until(() => heard > before);
      await until(async () => (await catalog.log()).lastSequence === 6);
    });

    test("with all connections in use, some changes wait and the others are refused", async () => {
      const url = await createDatabase();
      const catalog = await open(url, { poolSize: 1, maxWaiting: 3 });
      const album = await createAlbum(catalog, "a");
      await using database = await connectTo(url);
      await database.query("begin");
      await database.query("select 1 from albums for update");
      const writes = Array.from({ length: 9 }, (_, index) => createImage(catalog, album, `i${index}`));
      const settled = Promise.allSettled(writes);
      await until(() => writes.some((write) => Bun.peek.status(write) === "rejected"));
      const reads = Array.from({ length: 4 }, () => catalog.album("a", "all"));
      await expectCode(reads[3] as Promise<unknown>, "busy");
      await database.query("commit");
      await Promise.all(reads.slice(0, 3));
      const statuses = statusesOf(await settled);
      expect(statuses.filter((status) => status === "done")).toHaveLength(2);
      expect(statuses.filter((status) => status === "busy")).toHaveLength(7);
    });

    test("changes that wait for an album leave connections for reads and leases", async () => {
      const url = await createDatabase();
      const catalog = await open(url, { poolSize: 4 });
      const album = await createAlbum(catalog, "a");
      await createAlbum(catalog, "b");
      await using database = await connectTo(url);
      await database.query("begin");
      await database.query("select 1 from albums where name = 'a' for update");
      const writes = Array.from({ length: 12 }, (_, index) => createImage(catalog, album, `i${index}`));
      await Promise.all([
        ...Array.from({ length: 20 }, () => catalog.album("b", "all")),
        catalog.write({ type: "acquireLease", name: "sweep", holder: "this", milliseconds: 60_000 }),
      ]);
      expect(new Set(writes.map((write) => Bun.peek.status(write)))).toEqual(new Set(["pending"]));
      await database.query("rollback");
      await Promise.all(writes);
    });

    test("two transactions that deadlock both complete", async () => {
      const url = await createDatabase();
      const catalog = await open(url);
      const album = await createAlbum(catalog, "a");
      await createImage(catalog, album, "i");
      await using database = await connectTo(url);
      await database.query("begin");
      await database.query("select 1 from images for update");
      const writing = catalog.write({ type: "deleteImage", albumId: album.id, name: "i" });
      await until(
        async () => (await database.query("select 1 from pg_stat_activity where wait_event_type = 'Lock'")).length > 0,
      );
      const locked = await database.query("select 1 from albums for update").catch(String);
      await database.query("rollback");
      expect(await writing).toBeNull();
      expect(Array.isArray(locked) || locked.includes("deadlock")).toBe(true);
    });

    for (const [name, arrives] of [
      ["does not arrive", false],
      ["arrives, and its answer does not", true],
    ] as const)
      test(`a commit that ${name} is reported as unknown and not retried`, async () => {
        const url = await createDatabase();
        let armed = false;
        const cutAfter = new Set<object>();
        await using proxy = await startProxy(Number(new URL(url).port), {
          onData(direction, chunk, connection) {
            if (direction === "toClient" && cutAfter.has(connection)) connection.cut();
            if (!armed || direction !== "toServer" || !chunk.includes("commit\0")) return;
            armed = false;
            if (arrives) cutAfter.add(connection);
            else connection.cut();
          },
        });
        await open(url);
        const catalog = await open(proxy.through(url), { as: "beside" });
        armed = true;
        const error = await expectCode(createAlbum(catalog, "a"), "unavailable");
        expect(error.message).toContain("may or may not");
        await Bun.sleep(100);
        expect(namesOf((await catalog.albums({ visibility: "all", orderBy: "name", limit: 9 })).items)).toEqual(
          arrives ? ["a"] : [],
        );
        await createAlbum(catalog, "b");
      });

    test("changes are unavailable during an outage and succeed after it", async () => {
      const url = await createDatabase();
      await using proxy = await startProxy(Number(new URL(url).port));
      const catalog = await open(proxy.through(url));
      const album = await createAlbum(catalog, "a");
      proxy.refuse();
      proxy.cut();
      await expectCode(catalog.album("a", "all"), "unavailable");
      await expectCode(createImage(catalog, album, "i"), "unavailable");
      await expectCode(catalog.images({ visibility: "all", orderBy: "name", limit: 1 }), "unavailable");
      await proxy.accept();
      await createImage(catalog, album, "i");
      await until(async () => (await catalog.log()).lastSequence === 2);
    });

    test("the catalog closes while the server is silent", async () => {
      const url = await createDatabase();
      await using proxy = await startProxy(Number(new URL(url).port));
      const catalog = await open(proxy.through(url));
      await createAlbum(catalog, "a");
      proxy.pause();
      const asked = catalog.album("a", "all").catch((error: unknown) => error);
      await catalog[Symbol.asyncDispose]();
      proxy.resume();
      proxy.cut();
      await asked;
    });

    test("errors of the server get the matching error code", async () => {
      const url = await createDatabase();
      const catalog = await open(url);
      await using database = await connectTo(url);
      await database.query(`
        create sequence attempts;
        create function fail() returns trigger language plpgsql as $$
          begin perform nextval('attempts'); raise exception 'as told' using errcode = new.title; end $$;
        create trigger fail before insert on albums for each row execute function fail()`);
      for (const [title, code] of [
        ["53100", "insufficient_storage"],
        ["55P03", "busy"],
        ["57014", "unavailable"],
        ["53200", "unavailable"],
        ["25006", "unavailable"],
        ["22021", "internal"],
        ["40001", "busy"],
      ] as const)
        await expectCode(createAlbum(catalog, title, { fields: { ...EMPTY_ALBUM_FIELDS, title } }), code);
      // Only what another's writing may have caused is tried again, and not for ever.
      expect(await database.query("select last_value::integer from attempts")).toEqual([{ last_value: 6 + 9 }]);
      expect((await catalog.albums({ visibility: "all", orderBy: "name", limit: 9 })).items).toEqual([]);
    });

    test("a programming error is internal", async () => {
      const url = await createDatabase();
      const catalog = await open(url);
      const { id: albumId } = await createAlbum(catalog, "a");
      await using database = await connectTo(url);
      await database.query("drop table image_tags; drop table images");
      await expectCode(catalog.image("a", "i", "all"), "internal");
      await expectCode(catalog.images({ visibility: "all", orderBy: "name", limit: 5 }), "internal");
      await expectCode(
        catalog.write({ type: "putImages", albumId, mode: "put", images: [imageNamed("i")] }),
        "internal",
      );
      expect((await catalog.albums({ visibility: "all", orderBy: "name", limit: 5 })).items).toHaveLength(1);
    });
  });
}
