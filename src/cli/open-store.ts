import type { Config } from "../config.ts";
import type { BlobStore, Catalog } from "../ports.ts";
import { openBlobs, openCatalog } from "../stores.ts";

/** A store that this process looks at, beside the server that may have it. */
export interface OpenStore extends AsyncDisposable {
  readonly catalog: Catalog;
  readonly blobs: BlobStore;
  /** Rejects when the catalog fails beyond repair. To be raced against what is done. */
  readonly failure: Promise<never>;
}

/** @throws Error when there is none: nothing is made */
export async function openStore(config: Config): Promise<OpenStore> {
  const failure = Promise.withResolvers<never>();
  // It may come when nobody waits for it any more.
  failure.promise.catch(() => {});
  await using opening = new AsyncDisposableStack();
  const catalog = opening.use(await openCatalog(config, { as: "beside", onFatal: failure.reject }));
  const blobs = opening.use(await openBlobs(config, "beside"));
  const stack = opening.move();
  return { catalog, blobs, failure: failure.promise, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}
