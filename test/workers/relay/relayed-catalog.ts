import { afterEach, beforeEach } from "bun:test";
import { join } from "node:path";
import { openSqliteCatalog } from "../../../src/adapters/catalog/sqlite.ts";
import { EMPTY_ALBUM_FIELDS } from "../../../src/domain/album.ts";
import type { Catalog, Publisher } from "../../../src/ports.ts";
import { type RelayObserver, runRelay } from "../../../src/workers/relay.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";

export const topic = "image-store.events";

export type Publish = Publisher["publish"];

export const SILENT: RelayObserver = {
  published: () => {},
  refused: () => {},
  failed: () => {},
  cursorLost: () => {},
  rewound: () => {},
};

/** A catalog for each test, and a relay that publishes its log. */
export function useRelayedCatalog() {
  let folder: string;
  let catalog: Catalog;
  beforeEach(async () => {
    folder = await newFolder("relay");
    catalog = await openCatalog();
  });
  afterEach(async () => {
    await catalog[Symbol.asyncDispose]();
    await removeFolder(folder);
  });

  const openCatalog = (): Promise<Catalog> =>
    openSqliteCatalog({
      path: join(folder, "catalog.sqlite"),
      exclusive: false,
      writer: "inline",
      onFatal: (error) => {
        throw error;
      },
    });

  const reopenCatalog = async () => {
    await catalog[Symbol.asyncDispose]();
    catalog = await openCatalog();
  };

  let names = 0;
  const createAlbum = (name = `album ${names++}`) =>
    catalog.write({ type: "createAlbum", id: Bun.randomUUIDv7(), name, fields: EMPTY_ALBUM_FIELDS });

  async function loggedIds(): Promise<string[]> {
    const { events } = await catalog.events({ visibility: "all", limit: 100_000 });
    return events.map(({ id }) => id);
  }

  /** Runs the relay until `publish` and whatever else the test awaits is done. */
  async function withRelay(
    publish: Publish,
    use: () => Promise<void>,
    options: {
      observer?: RelayObserver;
      pollInterval?: number;
      batchSize?: number;
      catalog?: Catalog;
      audit?: boolean;
    } = {},
  ): Promise<void> {
    const stop = new AbortController();
    const quick = { minBackoff: 1, maxBackoff: 5, pollInterval: 20 };
    const running = runRelay({ catalog, publisher: { topic, publish }, ...quick, ...options }, stop.signal);
    try {
      await use();
    } finally {
      stop.abort();
      await running;
    }
  }

  const cursor = async () => (await catalog.cursors()).find(({ name }) => name === topic);

  const caughtUp = async () => (await cursor())?.lagEvents === 0;

  return { catalog: () => catalog, reopenCatalog, createAlbum, loggedIds, withRelay, cursor, caughtUp };
}
