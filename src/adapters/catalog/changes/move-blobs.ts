import type { MoveBlobs } from "../../../domain/upkeep.ts";
import type { Driver } from "../driver.ts";
import type { ChangeContext } from "./context.ts";
import { isHeld } from "./holds.ts";

/** The sweeper removes a blob where its row says that it is: once it is being deleted, the row stays as it is. */
export async function moveBlobs(db: Driver, context: ChangeContext, { moves }: MoveBlobs) {
  if (await isHeld(db, context)) return { moved: [] };
  const changed = await Promise.all(
    moves.map(async ({ key, from, to }) =>
      db.run("update blobs set location = $3 where key = $1 and location = $2 and state <> 'deleting'", [
        key,
        from,
        to,
      ]),
    ),
  );
  return { moved: moves.filter((_, index) => changed[index] === 1).map(({ key }) => key) };
}
