import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { albums, loadAlbums } from "../albums/albums-state.ts";
import { TextField } from "../shared/form.tsx";
import { FormDialog } from "../shared/form-dialog.tsx";
import { useSubmit } from "../shared/submit.ts";

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
  const form = useSubmit(async () => onAnswer(text.value));
  useEffect(() => {
    if (isAlbum && albums.value === undefined) void loadAlbums();
  }, []);
  return (
    <FormDialog title={title} form={form} action={action} onClose={onClose}>
      <TextField
        label={label}
        isRequired
        hasFocus
        list={isAlbum ? "albums-to-choose" : undefined}
        value={text.value}
        onText={(now) => (text.value = now)}
      />
      {isAlbum && (
        <datalist id="albums-to-choose">
          {albums.value?.map(({ id, name }) => (
            <option key={id} value={name} />
          ))}
        </datalist>
      )}
    </FormDialog>
  );
}
