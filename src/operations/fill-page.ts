import { setImmediate } from "node:timers/promises";
import type { Page, PageQuery } from "../domain/page.ts";
import type { Visibility } from "../domain/visibility.ts";

/** How long a page of a caller who sees everything looks for items that pass its filters, in milliseconds. */
const PATIENCE = 250;

/**
 * A page of a catalog looks at a bounded number of rows, and may be short for it. This one goes on where that ended, until
 * it is full, the listing is at its end, the client has left, or it took long enough. Other requests are answered in between.
 * It gives up for no caller who sees only some albums: the token of a short page may name a record that is hidden from it.
 */
export async function fillPage<Query extends PageQuery & { readonly visibility: Visibility }, Item>(
  read: (query: Query) => Promise<Page<Item>>,
  query: Query,
  options: { readonly signal: AbortSignal; readonly patience?: number },
): Promise<Page<Item>> {
  const { patience = PATIENCE } = options;
  const deadline = query.visibility === "all" ? performance.now() + patience : Number.POSITIVE_INFINITY;
  let page = await read(query);
  while (page.next !== undefined && page.items.length < query.limit) {
    // The runtime creates the signal of a request when it is read, which most pages never need.
    if (options.signal.aborted || performance.now() >= deadline) return page;
    await setImmediate();
    const following = await read({ ...query, start: page.next, limit: query.limit - page.items.length });
    page = { ...following, items: [...page.items, ...following.items] };
  }
  return page;
}
