import { useSignal } from "@preact/signals";
import { type Album, StoreError } from "../../client/src/index.ts";
import { Dialog } from "../shared/dialog.tsx";
import { Problem } from "../shared/problem.tsx";
import { may } from "../shared/session.ts";
import { ifMatch, store } from "../shared/store.ts";
import { useSubmit } from "../shared/submit.ts";
import { texts } from "../texts.ts";

interface EditProps {
  /** Undefined for a new one. */
  readonly album: Album | undefined;
  readonly onClose: () => void;
  readonly onSaved: (album: Album) => void;
}

export function EditAlbum({ album, onClose, onSaved }: EditProps) {
  const current = useSignal(album);
  const name = useSignal(album?.name ?? "");
  const title = useSignal(album?.title ?? "");
  const description = useSignal(album?.description ?? "");
  const isPublic = useSignal(album?.visibility === "public");
  const { busy, error, onSubmit } = useSubmit(async () => {
    const text = { title: title.value.trim() || null, description: description.value.trim() || null };
    const visibility = isPublic.value ? ("public" as const) : ("private" as const);
    const was = current.value;
    if (was === undefined)
      return onSaved(await store.albums.create({ name: name.value, ...text, ...(isPublic.value && { visibility }) }));
    const patch = {
      ...text,
      ...(name.value === was.name ? {} : { name: name.value }),
      ...(visibility === was.visibility ? {} : { visibility }),
    };
    const given = { path: { album: was.name }, body: patch, headers: ifMatch(was) };
    onSaved((await store.send("PATCH", "/v1/albums/{album}", given)) as Album);
  });
  const isConflict = error.value instanceof StoreError && error.value.code === "precondition_failed";
  /** What the person typed stays; what the other one saved is shown beside it, and saving again replaces it. */
  const onReload = async () => {
    const theirs = (await store.albums.get(current.value?.name ?? "").catch(() => undefined)) ?? current.value;
    current.value = theirs;
    error.value = undefined;
  };
  const theirs = current.value !== album ? current.value : undefined;
  return (
    <Dialog title={album === undefined ? texts.albums.create : texts.albums.editTitle} onClose={onClose}>
      <form class="stack" onSubmit={onSubmit}>
        <label class="field">
          <span class="label">{texts.albums.name}</span>
          <input
            class="input"
            dir="auto"
            required
            autofocus
            value={name.value}
            onInput={(event) => (name.value = event.currentTarget.value)}
          />
          <span class="hint">{texts.albums.nameHint}</span>
        </label>
        <label class="field">
          <span class="label">{texts.albums.titleField}</span>
          <input
            class="input"
            dir="auto"
            maxLength={200}
            value={title.value}
            onInput={(event) => (title.value = event.currentTarget.value)}
          />
          {theirs !== undefined && <Saved text={theirs.title} mine={title.value} />}
        </label>
        <label class="field">
          <span class="label">{texts.albums.description}</span>
          <textarea
            class="input"
            dir="auto"
            value={description.value}
            onInput={(event) => (description.value = event.currentTarget.value)}
          />
          {theirs !== undefined && <Saved text={theirs.description} mine={description.value} />}
        </label>
        {may("share", album) && (
          <label class="check">
            <input
              type="checkbox"
              checked={isPublic.value}
              onChange={(event) => (isPublic.value = event.currentTarget.checked)}
            />
            {texts.albums.publicField}
          </label>
        )}
        {error.value !== undefined && (
          <Problem error={error.value} onRetry={isConflict ? () => void onReload() : undefined} />
        )}
        <div class="form-end">
          <button type="button" class="button" onClick={onClose}>
            {texts.cancel}
          </button>
          <button type="submit" class="button primary" disabled={busy.value}>
            {texts.save}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

const Saved = ({ text, mine }: { readonly text: string | null; readonly mine: string }) =>
  (text ?? "") === mine ? null : (
    <span class="hint">
      {texts.albums.savedMeanwhile} <bdi>{text ?? "–"}</bdi>
    </span>
  );

interface DeleteProps {
  readonly album: Album;
  readonly onClose: () => void;
  readonly onDeleted: () => void;
}

export function DeleteAlbum({ album, onClose, onDeleted }: DeleteProps) {
  const { imageCount, byteCount, name, title } = album;
  const { busy, error, submit } = useSubmit(async () => {
    await store.albums.delete(name, { recursive: imageCount > 0 });
    onDeleted();
  });
  return (
    <Dialog title={texts.albums.deleteTitle(title ?? name)} onClose={onClose}>
      <p>{imageCount === 0 ? texts.albums.deleteEmpty : texts.albums.deleteFull(imageCount, byteCount)}</p>
      {error.value !== undefined && <Problem error={error.value} />}
      <div class="form-end">
        <button type="button" class="button" autofocus onClick={onClose}>
          {texts.cancel}
        </button>
        <button type="button" class="button danger" disabled={busy.value} onClick={() => void submit()}>
          {texts.albums.deleteAll(imageCount)}
        </button>
      </div>
    </Dialog>
  );
}
