import { authorize, type Caller, requesterOf } from "../domain/caller.ts";
import { StoreError } from "../domain/errors.ts";
import type { DurableCursor } from "../domain/event.ts";
import type { RewindCursor } from "../domain/maintenance.ts";
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

/**
 * Sets a durable reader back: it reads again what follows the position. Returns where it is then.
 * @throws StoreError `forbidden`, `cursor_not_found`, `cursor_unknown`, `cursor_expired`
 */
export async function rewindCursor(
  { catalog }: { readonly catalog: Pick<RequestCatalog, "cursors" | "write"> },
  {
    caller,
    ...rewind
  }: Pick<RewindCursor, "name" | "to"> & { readonly caller: Caller; readonly traceparent?: string | undefined },
): Promise<DurableCursor> {
  authorize(caller, "admin");
  const { name, to, traceparent } = rewind;
  await catalog.write({
    type: "rewindCursor",
    name,
    to,
    by: requesterOf(caller, "admin"),
    ...(traceparent === undefined ? {} : { traceparent }),
  });
  const [cursor] = await catalog.cursors(name);
  if (cursor === undefined) throw new StoreError("cursor_not_found", "The cursor was deleted meanwhile.");
  return cursor;
}
