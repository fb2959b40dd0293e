import { expect, setDefaultTimeout, test } from "bun:test";
import { Client } from "pg";
import { startStore } from "../http/harness.ts";
import { postgresIsMissing, usePostgres } from "./postgres-server.ts";
import { startProxy } from "./tcp-proxy.ts";

setDefaultTimeout(600_000);

/** Milliseconds; less than the store's own queries get. */
const PATIENCE = 25_000;

if (!postgresIsMissing())
  test("a node stops while PostgreSQL is silent, whatever its workers are waiting for", async () => {
    await using postgres = await usePostgres({ settings: { fsync: "off" } });
    const url = await postgres.createDatabase();
    await using proxy = await startProxy(Number(new URL(url).port));
    const client = new Client({ connectionString: proxy.through(url), query_timeout: PATIENCE });
    client.on("error", () => undefined);
    await client.connect();
    const store = await startStore({ CATALOG_URL: proxy.through(url), GRACE: "1s", SHUTDOWN_TIMEOUT: "1s" });
    await store.send("POST", "/v1/albums", { name: "a" });

    proxy.pause();
    const asked = client.query("select 1").catch((error: unknown) => error);
    // The sweep comes every 100 ms.
    await Bun.sleep(500);
    await store[Symbol.asyncDispose]();
    expect(Bun.peek.status(asked)).toBe("pending");
    proxy.resume();
    proxy.cut();
    await asked;
  });
