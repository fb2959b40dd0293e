import { useSignal } from "@preact/signals";
import { texts } from "../texts.ts";
import type { Draft, Field } from "./draft.ts";

interface Props {
  readonly mine: Draft;
  readonly theirs: Draft;
  readonly fields: readonly Field[];
  readonly onDecide: (chosen: Draft) => void;
}

/** Two people have changed the same: both texts, side by side, and a choice for each field. */
export function Conflict({ mine, theirs, fields, onDecide }: Props) {
  const kept = useSignal<Readonly<Partial<Record<Field, "mine" | "theirs">>>>({});
  const choose = (field: Field, whose: "mine" | "theirs") => (kept.value = { ...kept.value, [field]: whose });
  const decide = () => {
    const taken = fields.filter((field) => kept.value[field] === "theirs");
    // What the person has not touched is as the other one has left it.
    const chosen = Object.fromEntries(taken.map((field) => [field, theirs[field]]));
    onDecide({ ...mergeUntouched(mine, theirs, fields), ...chosen });
  };
  return (
    <section class="conflict" role="alert">
      <h3>{texts.conflict.title}</h3>
      <p class="small">{texts.conflict.text}</p>
      {fields.map((field) => (
        <fieldset key={field}>
          <legend>{texts.details[field]}</legend>
          {(["mine", "theirs"] as const).map((whose) => (
            <label key={whose} class="choice">
              <input
                type="radio"
                name={`conflict-${field}`}
                checked={(kept.value[field] ?? "mine") === whose}
                onChange={() => choose(field, whose)}
              />
              <span>
                <span class="small muted">{texts.conflict[whose]}</span>
                <span class="text" dir="auto">
                  {(whose === "mine" ? mine : theirs)[field] || texts.conflict.nothing}
                </span>
              </span>
            </label>
          ))}
        </fieldset>
      ))}
      <div class="form-end">
        <button type="button" class="button primary" onClick={decide}>
          {texts.conflict.save}
        </button>
      </div>
    </section>
  );
}

/** The fields in question as the person has them, and the others as they are now, unless the person has changed them alone. */
const mergeUntouched = (mine: Draft, theirs: Draft, fields: readonly Field[]): Draft => ({
  ...theirs,
  ...Object.fromEntries(fields.map((field) => [field, mine[field]])),
});
