import { existsSync } from "node:fs";
import { openDiskBlobs } from "../adapters/blobs/disk.ts";
import { openSqliteCatalog } from "../adapters/catalog/sqlite.ts";
import type { Config } from "../config.ts";
import type { BlobStore, Catalog } from "../ports.ts";

/** A store that this process looks at, beside the server that may have it. */
export interface OpenStore extends AsyncDisposable {
  readonly catalog: Catalog;
  readonly blobs: BlobStore;
  /** Rejects when the catalog fails beyond repair. To be raced against what is done. */
  readonly failure: Promise<never>;
}

/** @throws Error when there is none: nothing is made */
export async function openStore(config: Config): Promise<OpenStore> {
  const { path } = config.catalog;
  if (!existsSync(path)) throw new Error(`There is no store: ${path} does not exist.`);
  const failure = Promise.withResolvers<never>();
  // It may come when nobody waits for it any more.
  failure.promise.catch(() => {});
  await using opening = new AsyncDisposableStack();
  const onFatal = failure.reject;
  const catalog = opening.use(await openSqliteCatalog({ path, exclusive: false, writer: "inline", onFatal }));
  const blobs = await openDiskBlobs({ folder: config.blobs.path, minFree: config.minFree, recover: false });
  opening.use(blobs);
  const stack = opening.move();
  return { catalog, blobs, failure: failure.promise, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}
