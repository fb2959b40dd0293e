import { join } from "node:path";
import { openSqliteCatalog } from "../src/adapters/catalog/sqlite.ts";
import type { Catalog } from "../src/ports.ts";

/** The catalog of a data folder without a server, with the writer in this thread. */
export const openCatalog = (dataFolder: string): Promise<Catalog> =>
  openSqliteCatalog({
    path: join(dataFolder, "catalog.sqlite"),
    exclusive: false,
    writer: "inline",
    onFatal: (error) => {
      throw error;
    },
  });
