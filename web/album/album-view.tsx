import { useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import type { Album } from "../../client/src/index.ts";
import { DeleteAlbum, EditAlbum } from "../albums/album-dialogs.tsx";
import { ConfirmDialog } from "../shared/form-dialog.tsx";
import { Icon } from "../shared/icons.tsx";
import { lazy } from "../shared/lazy.tsx";
import { Problem } from "../shared/problem.tsx";
import { navigate, urlOf } from "../shared/router.ts";
import { may, mayAdd, mayGetOriginals } from "../shared/session.ts";
import { showToast } from "../shared/toast.tsx";
import { texts } from "../texts.ts";
import { target } from "../upload/intake.tsx";
import { AlbumHead } from "./album-head.tsx";
import { AlbumState } from "./album-state.ts";
import { ASK_ABOVE, deleteSoon, finishDeletions } from "./deletions.ts";
import { followAlbum } from "./follow-album.ts";
import { Grid } from "./grid.tsx";
import { Selection } from "./selection.ts";
import { SelectionBar } from "./selection-bar.tsx";

const LazyShareDialog = lazy(async () => (await import("../later.ts")).ShareDialog);
const LazyLightbox = lazy(async () => (await import("../later.ts")).Lightbox);

interface Props {
  readonly name: string;
  /** Id of the picture that is open. */
  readonly image: string | undefined;
}

export function AlbumView({ name, image }: Props) {
  const state = useMemo(() => new AlbumState(name), [name]);
  const selection = useMemo(() => new Selection(() => canAct(state.album.value)), [state]);
  const dialog = useSignal<"edit" | "delete" | "share" | undefined>(undefined);
  const isDeleting = useSignal(false);
  const close = () => (dialog.value = undefined);
  useEffect(() => followAlbum(state, () => selection.keep(state.columns)), [state]);
  const album = state.album.value;
  useEffect(() => {
    target.value = album;
    return () => {
      target.value = undefined;
    };
  }, [album]);
  useEffect(() => () => void finishDeletions(state), [state]);
  const isEmpty = state.isComplete.value && state.columns.count === 0;

  function deleteChosen(): void {
    isDeleting.value = false;
    const chosen = selection.chosen.value;
    selection.clear();
    deleteSoon(state, chosen);
  }
  function onDelete(): void {
    if (album === undefined || !may("delete", album)) return;
    if (selection.size > ASK_ABOVE) isDeleting.value = true;
    else deleteChosen();
  }

  return (
    <div class="page album">
      {state.problem.value !== undefined && <Problem error={state.problem.value} onRetry={() => void state.load()} />}
      {album !== undefined && (
        <AlbumHead
          state={state}
          album={album}
          onShare={() => (dialog.value = "share")}
          onEdit={() => (dialog.value = "edit")}
          onDelete={() => (dialog.value = "delete")}
        />
      )}
      {album !== undefined && isEmpty && (
        <div class="empty">
          <Icon name="picture" size={56} />
          <h2>{state.tag.value === undefined ? texts.album.empty : texts.album.emptyTag}</h2>
          {mayAdd(album) && state.tag.value === undefined && <p class="muted">{texts.album.emptyHint}</p>}
        </div>
      )}
      {album !== undefined && !isEmpty && <Grid state={state} selection={selection} onDelete={onDelete} />}
      {album !== undefined && <SelectionBar state={state} album={album} selection={selection} onDelete={onDelete} />}
      {isDeleting.value && (
        <ConfirmDialog
          title={texts.album.deleteTitle(selection.size)}
          text={texts.album.deleteText}
          action={texts.album.delete}
          onClose={() => (isDeleting.value = false)}
          onConfirm={deleteChosen}
        />
      )}
      {album !== undefined && image !== undefined && <LazyLightbox state={state} album={album} id={image} />}
      {album !== undefined && dialog.value === "share" && <LazyShareDialog album={album} onClose={close} />}
      {album !== undefined && dialog.value === "edit" && (
        <EditAlbum
          album={album}
          onClose={close}
          onSaved={(saved) => {
            close();
            if (saved.name === name) state.album.value = saved;
            else navigate(urlOf.album(saved.name), { replace: true });
          }}
        />
      )}
      {album !== undefined && dialog.value === "delete" && (
        <DeleteAlbum
          album={album}
          onClose={close}
          onDeleted={() => {
            close();
            showToast(texts.albums.deleted(album.title ?? album.name));
            navigate(urlOf.albums(), { replace: true });
          }}
        />
      )}
    </div>
  );
}

/** Whether something can be done with chosen pictures. */
const canAct = (album: Album | undefined): boolean =>
  album !== undefined && (mayGetOriginals(album) || may("write", album) || may("delete", album));
