/**
 * A store without group commit: the same rows, statements, SQLite and durability, one transaction per request, and
 * nothing else. Prints its port.
 */
import { join } from "node:path";
import { createContext } from "../../src/adapters/catalog/changes/context.ts";
import { applyChange } from "../../src/adapters/catalog/changes.ts";
import { openConnection } from "../../src/adapters/catalog/sqlite/connection.ts";
import { createSqliteDriver } from "../../src/adapters/catalog/sqlite/driver.ts";
import { EMPTY_ALBUM_FIELDS } from "../../src/domain/album.ts";
import type { Change } from "../../src/domain/change.ts";
import { openCatalog } from "../catalog.ts";

const folder = process.argv[2] ?? "";
{
  await using catalog = await openCatalog(folder);
  await catalog.log();
}
const db = openConnection(join(folder, "catalog.sqlite"), { readonly: false });
const driver = createSqliteDriver(db);
let writing: Promise<unknown> = Promise.resolve();

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  async fetch(request) {
    const { name } = (await request.json()) as { name: string };
    const change: Change = { type: "createAlbum", id: Bun.randomUUIDv7(), name, fields: EMPTY_ALBUM_FIELDS };
    const written = writing.then(() => commit(change));
    writing = written;
    return Response.json(await written, { status: 201 });
  },
});
console.log(server.port);

async function commit(change: Change): Promise<unknown> {
  db.run("begin immediate");
  const result = await applyChange(driver, createContext(Date.now()), change);
  db.run("commit");
  return result;
}
