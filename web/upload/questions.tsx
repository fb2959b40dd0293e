import { useSignal } from "@preact/signals";
import { albums } from "../albums/albums-state.ts";
import { Dialog } from "../shared/dialog.tsx";
import { TextField } from "../shared/form.tsx";
import { FormDialog } from "../shared/form-dialog.tsx";
import { useSubmit } from "../shared/submit.ts";
import { texts } from "../texts.ts";
import { decide, isActive, items, taken } from "./queue.ts";
import { homeless, settle } from "./receive.ts";

const SHOWN = 5;

/** Asked once for all names that are taken, as soon as nothing else is left to send. */
export function NamesTaken() {
  const others = items.value.some(({ status }) => ["waiting", "checking", "sending"].includes(status.value));
  if (taken.value.length === 0 || others || !isActive.value) return null;
  const names = taken.value.map(({ file }) => file.name);
  return (
    <Dialog title={texts.taken.title(names.length)} onClose={() => decide("keep")}>
      <ul>
        {names.slice(0, SHOWN).map((name) => (
          <li key={name} dir="auto">
            {name}
          </li>
        ))}
        {names.length > SHOWN && <li class="muted">{texts.taken.more(names.length - SHOWN)}</li>}
      </ul>
      <div class="form-end">
        <button type="button" class="button" autofocus onClick={() => decide("keep")}>
          {texts.taken.skip}
        </button>
        <button type="button" class="button" onClick={() => decide("keep-both")}>
          {texts.taken.both}
        </button>
        <button type="button" class="button danger" onClick={() => decide("replace")}>
          {texts.taken.replace}
        </button>
      </div>
    </Dialog>
  );
}

/** Files were given where no album is open. */
export function ChooseAlbum() {
  const waiting = homeless.value;
  return waiting === undefined ? null : <ChooseFor waiting={waiting} />;
}

function ChooseFor({ waiting }: { readonly waiting: NonNullable<typeof homeless.value> }) {
  const name = useSignal(waiting.suggestion);
  const form = useSubmit(() => settle(name.value));
  return (
    <FormDialog
      title={texts.upload.chooseTitle(waiting.files.length)}
      form={form}
      action={texts.upload.start}
      onClose={() => (homeless.value = undefined)}
    >
      <TextField
        label={texts.upload.chooseField}
        hint={texts.upload.chooseHint}
        isRequired
        hasFocus
        list="known-albums"
        value={name.value}
        onText={(text) => (name.value = text)}
      />
      <datalist id="known-albums">
        {albums.value?.map((album) => (
          <option key={album.id} value={album.name} />
        ))}
      </datalist>
    </FormDialog>
  );
}
