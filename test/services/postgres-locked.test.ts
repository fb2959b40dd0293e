import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import type { LogObserver } from "../../src/adapters/catalog/postgres/log-connection.ts";
import { openPostgresCatalog } from "../../src/adapters/catalog/postgres.ts";
import { readiness } from "../../src/operations/readiness.ts";
import type { Catalog } from "../../src/ports.ts";
import { connectTo } from "../adapters/catalog/open-postgres.ts";
import { createAlbum } from "../catalog-changes.ts";
import { expectCode } from "../errors.ts";
import { type PostgresServer, postgresIsMissing, usePostgres } from "./postgres-server.ts";

setDefaultTimeout(600_000);

/** A busy machine takes its time: the runner's limit ends what never comes. */
const until = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await condition())) await Bun.sleep(20);
};

const refused = async (write: Promise<unknown>): Promise<boolean> =>
  write.then(
    () => false,
    () => true,
  );

const isReady = (catalog: Catalog): Promise<boolean> =>
  readiness({ probes: { catalog, blobs: { probe: async () => ({ freeBytes: undefined }) } } }).then(
    () => true,
    () => false,
  );

const open = (url: string, observeLog?: LogObserver): Promise<Catalog> =>
  openPostgresCatalog({ url, poolSize: 4, as: "server", observeLog });

if (!postgresIsMissing()) {
  let server: Pick<PostgresServer, "createDatabase"> & AsyncDisposable;
  beforeAll(async () => {
    server = await usePostgres({ settings: { fsync: "off", full_page_writes: "off" } });
  });
  afterAll(() => server[Symbol.asyncDispose]());

  test("a read-only database refuses changes, fails readiness, and recovers when it is writable", async () => {
    const url = await server.createDatabase();
    const database = new URL(url).pathname.slice(1);
    await using operator = await connectTo(url);
    await using catalog = await open(url);
    await createAlbum(catalog, "before");
    await until(() => isReady(catalog));

    await operator.query(`alter database ${database} set default_transaction_read_only = on`);
    // Connections that are open do not know of it: they are replaced.
    let number = 0;
    await until(() => refused(createAlbum(catalog, `while ${number++}`)));
    await until(async () => !(await isReady(catalog)));
    for (const attempt of [1, 2, 3, 4, 5]) {
      await expectCode(createAlbum(catalog, `refused ${attempt}`), "unavailable");
      await expectCode(catalog.probe(), "unavailable");
    }
    await expectCode(catalog.write({ type: "acquireLease", name: "a", holder: "b", milliseconds: 1 }), "unavailable");
    expect((await catalog.album("before", "all"))?.name).toBe("before");
    expect(await catalog.album("refused 1", "all")).toBeUndefined();
    {
      // A node that starts now serves reads.
      await using another = await open(url);
      expect((await another.album("before", "all"))?.name).toBe("before");
      await expectCode(createAlbum(another, "refused too"), "unavailable");
    }

    await operator.query(`alter database ${database} reset default_transaction_read_only`);
    await until(async () => !(await refused(createAlbum(catalog, `after ${number++}`))));
    await until(() => isReady(catalog));
    for (const attempt of [1, 2, 3, 4, 5]) await createAlbum(catalog, `afterwards ${attempt}`);
    // What was written is numbered as ever.
    await until(async () => (await catalog.unreadableSeconds()) === 0);
  });

  test("unnumbered events are reported with their age and as cursor lag until they are numbered", async () => {
    const url = await server.createDatabase();
    const told: string[] = [];
    const observer: LogObserver = {
      failed: (error) => told.push(String((error as { code?: unknown }).code)),
      recovered: () => told.push("recovered"),
    };
    await using catalog = await open(url, observer);
    await createAlbum(catalog, "before");
    await catalog.write({ type: "registerCursor", name: "relay" });
    await until(async () => (await catalog.log()).lastSequence === 1);
    await catalog.write({ type: "advanceCursor", name: "relay", seq: 1 });
    const relay = async () => (await catalog.cursors())[0];
    expect(await relay()).toMatchObject({ lagEvents: 0, lagSeconds: 0 });
    expect(await catalog.unreadableSeconds()).toBe(0);
    expect(told).toEqual([]);

    await using holder = await connectTo(url);
    await holder.query("begin");
    await holder.query("select 1 from log_state for update");
    for (const name of ["one", "two"]) await createAlbum(catalog, name);
    await until(async () => (await catalog.unreadableSeconds()) > 1);
    const lagging = await relay();
    expect(lagging).toMatchObject({ lagEvents: 2 });
    expect(lagging?.lagSeconds).toBeGreaterThan(1);
    // By then it has waited for the lock for as long as it does.
    await until(() => told.length > 0);
    expect(told[0]).toBe("55P03");

    await holder.query("rollback");
    await until(async () => (await catalog.log()).lastSequence === 3);
    await until(() => told.includes("recovered"));
    expect(await catalog.unreadableSeconds()).toBe(0);
    expect(await relay()).toMatchObject({ lagEvents: 2 });
  });
}
