import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Image } from "../../client/src/index.ts";
import { Problem } from "../shared/problem.tsx";
import { useSubmit } from "../shared/submit.ts";
import { showToast } from "../shared/toast.tsx";
import { texts } from "../texts.ts";
import { Conflict } from "./conflict.tsx";
import { changedFields, type Draft, draftOf, type Field, saveDraft } from "./draft.ts";
import { FocalPoint } from "./focal-point.tsx";

interface Props {
  readonly image: Image;
  readonly onSaved: (image: Image) => void;
}

/** Title, description, tags, name and focal point. What the person has typed stays, whatever comes from elsewhere. */
export function EditForm({ image, onSaved }: Props) {
  const base = useSignal(image);
  const draft = useSignal(draftOf(image));
  const conflict = useSignal<{ readonly theirs: Image; readonly fields: readonly Field[] } | undefined>(undefined);
  const isDirty = changedFields(draft.value, draftOf(base.value)).length > 0;

  useEffect(() => {
    if (isDirty || image.revision <= base.value.revision) return;
    base.value = image;
    draft.value = draftOf(image);
  }, [image.revision]);

  const set = (change: Partial<Draft>) => (draft.value = { ...draft.value, ...change });
  const { busy, error, submit, onSubmit } = useSubmit(async () => {
    conflict.value = undefined;
    const outcome = await saveDraft(draft.value, base.value);
    if (outcome.kind === "conflict") {
      conflict.value = outcome;
      return;
    }
    base.value = outcome.image;
    draft.value = draftOf(outcome.image);
    onSaved(outcome.image);
    showToast(texts.details.saved);
  });

  return (
    <form class="stack" onSubmit={onSubmit} aria-label={texts.details.edit}>
      <label class="field">
        <span class="label">{texts.details.title}</span>
        <input
          class="input"
          dir="auto"
          maxLength={200}
          value={draft.value.title}
          onInput={(event) => set({ title: event.currentTarget.value })}
        />
      </label>
      <label class="field">
        <span class="label">{texts.details.description}</span>
        <textarea
          class="input"
          dir="auto"
          value={draft.value.description}
          onInput={(event) => set({ description: event.currentTarget.value })}
        />
      </label>
      <label class="field">
        <span class="label">{texts.details.tags}</span>
        <input
          class="input"
          dir="auto"
          value={draft.value.tags}
          onInput={(event) => set({ tags: event.currentTarget.value })}
        />
        <span class="hint">{texts.details.tagsHint}</span>
      </label>
      <label class="field">
        <span class="label">{texts.details.name}</span>
        <input
          class="input"
          dir="auto"
          required
          value={draft.value.name}
          onInput={(event) => set({ name: event.currentTarget.value })}
        />
      </label>
      <FocalPoint image={image} value={draft.value.focalPoint} onChange={(focalPoint) => set({ focalPoint })} />
      {conflict.value !== undefined && (
        <Conflict
          mine={draft.value}
          theirs={draftOf(conflict.value.theirs)}
          fields={conflict.value.fields}
          onDecide={(chosen) => {
            const { theirs } = conflict.value ?? { theirs: base.value };
            draft.value = chosen;
            base.value = theirs;
            if (changedFields(chosen, draftOf(theirs)).length > 0) void submit();
            else conflict.value = undefined;
          }}
        />
      )}
      {error.value !== undefined && <Problem error={error.value} />}
      {isDirty && conflict.value === undefined && (
        <div class="form-end">
          <button type="button" class="button" onClick={() => (draft.value = draftOf(base.value))}>
            {texts.details.discard}
          </button>
          <button type="submit" class="button primary" disabled={busy.value}>
            {texts.save}
          </button>
        </div>
      )}
    </form>
  );
}
