import { useSignal } from "@preact/signals";
import { type Album, StoreError } from "../../client/src/index.ts";
import { TextField } from "../shared/form.tsx";
import { ConfirmDialog, FormDialog } from "../shared/form-dialog.tsx";
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
  const form = useSubmit(async () => {
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
  const isConflict = form.error.value instanceof StoreError && form.error.value.code === "precondition_failed";
  /** What the person typed stays; what the other one saved is shown beside it, and saving again replaces it. */
  const onReload = async () => {
    const theirs = (await store.albums.get(current.value?.name ?? "").catch(() => undefined)) ?? current.value;
    current.value = theirs;
    form.error.value = undefined;
  };
  const theirs = current.value !== album ? current.value : undefined;
  return (
    <FormDialog
      title={album === undefined ? texts.albums.create : texts.albums.editTitle}
      form={form}
      action={texts.save}
      onClose={onClose}
      onRetry={isConflict ? () => void onReload() : undefined}
    >
      <TextField
        label={texts.albums.name}
        hint={texts.albums.nameHint}
        isRequired
        hasFocus
        value={name.value}
        onText={(text) => (name.value = text)}
      />
      <TextField
        label={texts.albums.titleField}
        maxLength={200}
        value={title.value}
        onText={(text) => (title.value = text)}
      >
        {theirs !== undefined && <Saved text={theirs.title} mine={title.value} />}
      </TextField>
      <TextField
        label={texts.albums.description}
        isLong
        value={description.value}
        onText={(text) => (description.value = text)}
      >
        {theirs !== undefined && <Saved text={theirs.description} mine={description.value} />}
      </TextField>
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
    </FormDialog>
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
  return (
    <ConfirmDialog
      title={texts.albums.deleteTitle(title ?? name)}
      text={imageCount === 0 ? texts.albums.deleteEmpty : texts.albums.deleteFull(imageCount, byteCount)}
      action={texts.albums.deleteAll(imageCount)}
      onClose={onClose}
      onConfirm={async () => {
        await store.albums.delete(name, { recursive: imageCount > 0 });
        onDeleted();
      }}
    />
  );
}
