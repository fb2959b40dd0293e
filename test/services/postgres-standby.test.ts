import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { openPostgresCatalog } from "../../src/adapters/catalog/postgres.ts";
import { connectTo } from "../adapters/catalog/open-postgres.ts";
import { createAlbum } from "../catalog-changes.ts";
import { expectCode } from "../errors.ts";
import { postgresIsMissing, startPostgres } from "./postgres-server.ts";

setDefaultTimeout(600_000);

if (!postgresIsMissing() && process.env["IMAGE_STORE_TEST_POSTGRES"] === undefined)
  test("a server that became a standby is read, and changes are unavailable", async () => {
    await using postgres = await startPostgres({ settings: { fsync: "off" } });
    const url = await postgres.createDatabase();
    await using catalog = await openPostgresCatalog({ url, poolSize: 2, as: "server" });
    await createAlbum(catalog, "a");
    let folder = "";
    {
      await using database = await connectTo(url);
      const [row] = await database.query<{ data_directory: string }>("show data_directory");
      folder = row?.data_directory ?? "";
    }
    await postgres.stop();
    const signal = Bun.file(join(folder, "standby.signal"));
    await signal.write("");
    await postgres.start();
    await expectCode(createAlbum(catalog, "b"), "unavailable");
    await expectCode(catalog.probe(), "unavailable");
    expect((await catalog.album("a", "all"))?.name).toBe("a");

    await postgres.stop();
    await signal.delete();
    await postgres.start();
    await createAlbum(catalog, "b");
    await catalog.probe();
  });
