import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { albums, loadAlbums } from "../albums/albums-state.ts";
import { Dialog } from "../shared/dialog.tsx";
import { texts } from "../texts.ts";

interface Props {
  readonly title: string;
  readonly label: string;
  readonly action: string;
  /** Offers the albums that the page knows. */
  readonly isAlbum?: boolean;
  readonly onClose: () => void;
  readonly onAnswer: (text: string) => void;
}

/** Asks for one line of text. */
export function TextQuestion({ title, label, action, isAlbum = false, onClose, onAnswer }: Props) {
  const text = useSignal("");
  useEffect(() => {
    if (isAlbum && albums.value === undefined) void loadAlbums();
  }, []);
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          onAnswer(text.value);
        }}
      >
        <label class="field">
          <span class="label">{label}</span>
          <input
            class="input"
            dir="auto"
            required
            autofocus
            list={isAlbum ? "albums-to-choose" : undefined}
            value={text.value}
            onInput={(event) => (text.value = event.currentTarget.value)}
          />
        </label>
        {isAlbum && (
          <datalist id="albums-to-choose">
            {albums.value?.map(({ id, name }) => (
              <option key={id} value={name} />
            ))}
          </datalist>
        )}
        <div class="form-end">
          <button type="button" class="button" onClick={onClose}>
            {texts.cancel}
          </button>
          <button type="submit" class="button primary">
            {action}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
