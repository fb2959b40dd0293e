import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Image } from "../../client/src/index.ts";
import { FormEnd, TextField } from "../shared/form.tsx";
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
  const form = useSubmit(async () => {
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
    <form class="stack" onSubmit={form.onSubmit} aria-label={texts.details.edit}>
      <TextField
        label={texts.details.title}
        maxLength={200}
        value={draft.value.title}
        onText={(title) => set({ title })}
      />
      <TextField
        label={texts.details.description}
        isLong
        value={draft.value.description}
        onText={(description) => set({ description })}
      />
      <TextField
        label={texts.details.tags}
        hint={texts.details.tagsHint}
        value={draft.value.tags}
        onText={(tags) => set({ tags })}
      />
      <TextField label={texts.details.name} isRequired value={draft.value.name} onText={(name) => set({ name })} />
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
            if (changedFields(chosen, draftOf(theirs)).length > 0) void form.submit();
            else conflict.value = undefined;
          }}
        />
      )}
      {isDirty && conflict.value === undefined ? (
        <FormEnd
          form={form}
          action={texts.save}
          cancel={texts.details.discard}
          onCancel={() => (draft.value = draftOf(base.value))}
        />
      ) : (
        form.error.value !== undefined && <Problem error={form.error.value} />
      )}
    </form>
  );
}
