import { authorize, type Caller } from "../domain/caller.ts";
import type { DurableCursor } from "../domain/event.ts";
import type { RequestCatalog } from "./request-catalog.ts";

/** The durable readers of the log. @throws StoreError `forbidden` */
export async function listCursors(
  { catalog }: { readonly catalog: Pick<RequestCatalog, "cursors"> },
  caller: Caller,
): Promise<readonly DurableCursor[]> {
  authorize(caller, "admin");
  return catalog.cursors();
}

/**
 * Gives a durable reader up: retention no longer waits for it. If it still runs it registers again, at the oldest kept.
 * @throws StoreError `forbidden`, `cursor_not_found`
 */
export async function deleteCursor(
  { catalog }: { readonly catalog: Pick<RequestCatalog, "write"> },
  { caller, name }: { readonly caller: Caller; readonly name: string },
): Promise<void> {
  authorize(caller, "admin");
  await catalog.write({ type: "deleteCursor", name });
}
