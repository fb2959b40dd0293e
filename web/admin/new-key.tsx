import { useSignal } from "@preact/signals";
import { TextField } from "../shared/form.tsx";
import { FormDialog } from "../shared/form-dialog.tsx";
import { isLocal, type Right } from "../shared/session.ts";
import { store } from "../shared/store.ts";
import { useSubmit } from "../shared/submit.ts";
import { splitTags } from "../shared/tags.ts";
import { texts } from "../texts-admin.ts";

const RIGHTS: readonly Right[] = ["read", "write", "delete", "transform", "share", "events", "admin"];

interface Props {
  readonly onClose: () => void;
  readonly onMade: (secret: string) => void;
}

export function NewKey({ onClose, onMade }: Props) {
  const name = useSignal("");
  // A store whose first key may not administer it can't be administered from the page any more.
  const rights = useSignal<ReadonlySet<Right>>(new Set(isLocal.value ? RIGHTS : ["read"]));
  const albums = useSignal("");
  const until = useSignal("");
  const form = useSubmit(async () => {
    const names = splitTags(albums.value);
    const chosen = RIGHTS.filter((right) => rights.value.has(right));
    const { secret } = await store.send("POST", "/v1/keys", {
      body: {
        name: name.value.trim(),
        grants: [{ rights: chosen, albums: names.length === 0 ? "*" : { names } }],
        ...(until.value === "" ? {} : { expiresAt: new Date(until.value).toISOString() }),
      },
    });
    onMade(secret);
  });
  const toggle = (right: Right) => {
    const changed = new Set(rights.value);
    if (!changed.delete(right)) changed.add(right);
    rights.value = changed;
  };
  return (
    <FormDialog
      title={texts.keys.create}
      form={form}
      action={texts.keys.create}
      isDisabled={rights.value.size === 0}
      onClose={onClose}
    >
      {isLocal.value && <p class="made">{texts.keys.first}</p>}
      <TextField
        label={texts.keys.name}
        hint={texts.keys.nameHint}
        isRequired
        hasFocus
        pattern="[A-Za-z0-9._@\-]{1,64}"
        value={name.value}
        onText={(text) => (name.value = text)}
      />
      <fieldset>
        <legend>{texts.keys.rights}</legend>
        {RIGHTS.map((right) => (
          <label key={right} class="check">
            <input type="checkbox" checked={rights.value.has(right)} onChange={() => toggle(right)} />
            {texts.keys.rightTexts[right]}
          </label>
        ))}
      </fieldset>
      <TextField
        label={texts.keys.albums}
        hint={texts.keys.albumsHint}
        value={albums.value}
        onText={(text) => (albums.value = text)}
      />
      <TextField label={texts.keys.until} type="date" value={until.value} onText={(text) => (until.value = text)} />
    </FormDialog>
  );
}
