import type { Catalog, DurableCursor } from "../ports.ts";

/** The durable readers of the log. */
export const listCursors = ({ catalog }: { catalog: Pick<Catalog, "cursors"> }): Promise<readonly DurableCursor[]> =>
  catalog.cursors();

/**
 * Gives a durable reader up: retention no longer waits for it. If it still runs it registers again, at the oldest kept.
 * @throws StoreError `cursor_not_found`
 */
export async function deleteCursor({ catalog }: { catalog: Pick<Catalog, "write"> }, name: string): Promise<void> {
  await catalog.write({ type: "deleteCursor", name });
}
