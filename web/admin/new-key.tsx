import { useSignal } from "@preact/signals";
import { Dialog } from "../shared/dialog.tsx";
import { Problem } from "../shared/problem.tsx";
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
  const rights = useSignal<ReadonlySet<Right>>(new Set(["read"]));
  const albums = useSignal("");
  const until = useSignal("");
  const { busy, error, onSubmit } = useSubmit(async () => {
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
    <Dialog title={texts.keys.create} onClose={onClose}>
      <form class="stack" onSubmit={onSubmit}>
        {isLocal.value && <p class="made">{texts.keys.first}</p>}
        <label class="field">
          <span class="label">{texts.keys.name}</span>
          <input
            class="input"
            required
            autofocus
            pattern="[A-Za-z0-9._@\-]{1,64}"
            title={texts.keys.nameHint}
            value={name.value}
            onInput={(event) => (name.value = event.currentTarget.value)}
          />
          <span class="hint">{texts.keys.nameHint}</span>
        </label>
        <fieldset>
          <legend>{texts.keys.rights}</legend>
          {RIGHTS.map((right) => (
            <label key={right} class="check">
              <input type="checkbox" checked={rights.value.has(right)} onChange={() => toggle(right)} />
              {texts.keys.rightTexts[right]}
            </label>
          ))}
        </fieldset>
        <label class="field">
          <span class="label">{texts.keys.albums}</span>
          <input
            class="input"
            dir="auto"
            value={albums.value}
            onInput={(event) => (albums.value = event.currentTarget.value)}
          />
          <span class="hint">{texts.keys.albumsHint}</span>
        </label>
        <label class="field">
          <span class="label">{texts.keys.until}</span>
          <input
            class="input"
            type="date"
            value={until.value}
            onInput={(event) => (until.value = event.currentTarget.value)}
          />
        </label>
        {error.value !== undefined && <Problem error={error.value} />}
        <div class="form-end">
          <button type="button" class="button" onClick={onClose}>
            {texts.cancel}
          </button>
          <button type="submit" class="button primary" disabled={busy.value || rights.value.size === 0}>
            {texts.keys.create}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
