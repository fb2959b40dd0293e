import { showError, showToast } from "../shared/toast.tsx";
import { texts } from "../texts.ts";
import { deleteImages } from "./actions.ts";
import type { AlbumState } from "./album-state.ts";
import { Chosen } from "./chosen.ts";

/** More pictures than these are asked about before. */
export const ASK_ABOVE = 100;

interface Pending {
  readonly state: AlbumState;
  readonly finish: () => Promise<void>;
  readonly undo: () => void;
}

/** Oldest first. A page that is closed forgets them, so their pictures stay. */
const pending = new Set<Pending>();

/** Takes pictures off the page at once, and deletes them in the store once the person can't undo it any more. */
export function deleteSoon(state: AlbumState, ids: Chosen | readonly string[]): void {
  const chosen = ids instanceof Chosen ? ids : Chosen.of(ids);
  state.hide(chosen);
  const deletion: Pending = {
    state,
    finish: async () => {
      if (!pending.delete(deletion)) return;
      takeAway();
      await deleteNow(state, chosen);
    },
    undo: () => {
      if (!pending.delete(deletion)) return;
      takeAway();
      state.unhide(chosen);
      showToast(texts.album.restored(chosen.size));
    },
  };
  pending.add(deletion);
  const takeAway = showToast(texts.album.deleted(chosen.size), {
    action: { text: texts.album.undo, run: deletion.undo },
    onGone: () => void deletion.finish(),
  });
}

async function deleteNow(state: AlbumState, chosen: Chosen): Promise<void> {
  const { failures } = await deleteImages(chosen, () => undefined);
  await state.load();
  // From here on the listing itself knows; what could not be deleted is back.
  state.unhide(chosen);
  if (failures.length > 0) showError(failures[0]);
}

export const undoLastDeletion = (): void => [...pending].at(-1)?.undo();

/** Of one album that the person leaves, or of all. */
export async function finishDeletions(state?: AlbumState): Promise<void> {
  const left = [...pending].filter((one) => state === undefined || one.state === state);
  await Promise.all(left.map((one) => one.finish()));
}
