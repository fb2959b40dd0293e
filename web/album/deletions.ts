import { showError, showToast } from "../shared/toast.tsx";
import { texts } from "../texts.ts";
import { deleteImages } from "./actions.ts";
import type { AlbumState } from "./album-state.ts";

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
export function deleteSoon(state: AlbumState, ids: readonly string[]): void {
  state.hide(ids);
  const deletion: Pending = {
    state,
    finish: async () => {
      if (!pending.delete(deletion)) return;
      takeAway();
      await deleteNow(state, ids);
    },
    undo: () => {
      if (!pending.delete(deletion)) return;
      takeAway();
      state.unhide(ids);
      showToast(texts.album.restored(ids.length));
    },
  };
  pending.add(deletion);
  const takeAway = showToast(texts.album.deleted(ids.length), {
    action: { text: texts.album.undo, run: deletion.undo },
    onGone: () => void deletion.finish(),
  });
}

async function deleteNow(state: AlbumState, ids: readonly string[]): Promise<void> {
  const { failures } = await deleteImages(new Set(ids), () => undefined);
  await state.load();
  // From here on the listing itself knows; what could not be deleted is back.
  state.unhide(ids);
  if (failures.length > 0) showError(failures[0]);
}

export const undoLastDeletion = (): void => [...pending].at(-1)?.undo();

/** Of one album that the person leaves, or of all. */
export async function finishDeletions(state?: AlbumState): Promise<void> {
  const chosen = [...pending].filter((one) => state === undefined || one.state === state);
  await Promise.all(chosen.map((one) => one.finish()));
}
