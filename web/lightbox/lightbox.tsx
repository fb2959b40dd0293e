import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Album, Image } from "../../client/src/index.ts";
import type { AlbumState } from "../album/album-state.ts";
import { deleteSoon, undoLastDeletion } from "../album/deletions.ts";
import { chooseCover } from "../albums/choose-cover.ts";
import { InDialog } from "../shared/dialog.tsx";
import { endOpening } from "../shared/opening.ts";
import { Problem } from "../shared/problem.tsx";
import { leave, navigate, urlOf } from "../shared/router.ts";
import { may } from "../shared/session.ts";
import { sessionEnded, store } from "../shared/store.ts";
import { useSubmit } from "../shared/submit.ts";
import { DialogToasts, showError } from "../shared/toast.tsx";
import { texts } from "../texts.ts";
import { Details } from "./details.tsx";
import { Arrow, LightboxBar } from "./lightbox-bar.tsx";
import { onLightboxKey } from "./lightbox-keys.ts";
import { Picture, preload } from "./picture.tsx";
import type { Zoom } from "./zoom.ts";

interface Props {
  readonly state: AlbumState;
  readonly album: Album;
  readonly id: string;
}

/** One picture over its album. Its address is its own, so that it can be passed on and the back button closes it. */
export function Lightbox({ state, album, id }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const zoom = useRef<Zoom>(undefined);
  const record = useSignal<Image | undefined>(undefined);
  const problem = useSignal<unknown>(undefined);
  const hasDetails = useSignal(false);
  const loaded = useSignal<string | undefined>(undefined);
  const version = state.version.value;
  const index = state.columns.indexOf(id);
  const shown = index === -1 ? (record.value?.id === id ? record.value : undefined) : state.columns.image(index);
  const current = record.value?.id === id ? record.value : undefined;
  const label = current?.title ?? current?.name ?? "";

  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  useEffect(() => {
    void read();
  }, [id, version, sessionEnded.value]);
  const isLoaded = loaded.value === id;
  useEffect(() => {
    if (!isLoaded || index === -1) return;
    for (const near of [index + 1, index - 1])
      if (near >= 0 && near < state.columns.count) preload(state.columns.image(near));
  }, [id, version, isLoaded]);

  async function read(): Promise<void> {
    try {
      const found = await store.imageById(id);
      if (found.albumId === album.id) record.value = found;
      problem.value = undefined;
    } catch (error) {
      problem.value = error;
      endOpening();
    }
  }
  function onLoaded(): void {
    loaded.value = id;
    endOpening();
  }

  const close = () => leave(urlOf.album(state.name));
  function step(by: number): void {
    const next = index + by;
    if (index === -1 || next < 0 || next >= state.columns.count) return;
    navigate(urlOf.image(state.name, state.columns.id(next)), { replace: true });
  }
  function remove(): void {
    if (!may("delete", album) || index === -1) return;
    deleteSoon(state, [id]);
    const next = Math.min(index, state.columns.count - 1);
    if (next < 0) close();
    else navigate(urlOf.image(state.name, state.columns.id(next)), { replace: true });
  }
  const { submit: useAsCover } = useSubmit(async () => {
    if (current === undefined) return;
    try {
      state.album.value = await chooseCover(album, { id, createdAt: Date.parse(current.createdAt) });
    } catch (error) {
      showError(error);
    }
  });

  return (
    <dialog
      ref={dialog}
      class={hasDetails.value ? "lightbox with-details" : "lightbox"}
      aria-label={label === "" ? texts.album.picture(index + 1, state.expected) : label}
      onCancel={(event) => {
        event.preventDefault();
        close();
      }}
      onKeyDown={(event) =>
        onLightboxKey(event, {
          zoom: zoom.current,
          step,
          toEnd: (isLast) => step(isLast ? state.columns.count - 1 - index : -index),
          toggleDetails: () => (hasDetails.value = !hasDetails.value),
          remove,
          undo: undoLastDeletion,
        })
      }
    >
      <InDialog.Provider value={true}>
        <LightboxBar
          album={album}
          label={label}
          place={index === -1 ? undefined : texts.lightbox.place(index + 1, state.expected)}
          image={current}
          hasDetails={hasDetails}
          onClose={close}
          onDelete={remove}
        />
        <div class="lightbox-stage">
          {shown !== undefined && (
            <Picture image={shown} label={label} zoom={zoom} onSwipe={step} onClose={close} onLoaded={onLoaded} />
          )}
          {(index === -1 || (sessionEnded.value && !hasDetails.value)) && problem.value !== undefined && (
            <Problem error={problem.value} onRetry={() => void read()} />
          )}
          {index > 0 && <Arrow icon="back" text={texts.lightbox.previous} onClick={() => step(-1)} />}
          {index !== -1 && index < state.columns.count - 1 && (
            <Arrow icon="next" text={texts.lightbox.next} onClick={() => step(1)} />
          )}
        </div>
        {hasDetails.value && current !== undefined && (
          <Details
            key={id}
            image={current}
            album={album}
            onSaved={(saved) => (record.value = saved)}
            onCover={() => void useAsCover()}
            onTag={(tag) => {
              close();
              state.setTag(tag);
            }}
          />
        )}
        <DialogToasts />
      </InDialog.Provider>
    </dialog>
  );
}
