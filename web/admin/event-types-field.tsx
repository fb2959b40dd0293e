import { useSignal } from "@preact/signals";
import { EVENT_KINDS, type EventKind, TYPES_OF_KIND } from "../shared/event-types.ts";
import { Icon } from "../shared/icons.tsx";
import { texts } from "../texts-admin.ts";
import { ALL_TYPES, linesOf } from "./webhook-draft.ts";
import { describeTypes } from "./webhook-row.tsx";

interface Props {
  /** As a draft of a webhook has them. */
  readonly types: string;
  readonly onTypes: (types: string) => void;
}

/** Which events a webhook gets: all of albums and pictures, or those of some kinds, whole or one by one. */
export function EventTypesField({ types, onTypes }: Props) {
  const chosen = new Set(types === ALL_TYPES ? [] : linesOf(types));
  const set = (changed: readonly string[], isChosen: boolean) => {
    for (const type of changed) {
      if (isChosen) chosen.add(type);
      else chosen.delete(type);
    }
    const inOrder = EVENT_KINDS.flatMap((kind) => [...TYPES_OF_KIND[kind]] as string[]);
    onTypes(inOrder.filter((type) => chosen.has(type)).join("\n"));
  };
  return (
    <fieldset>
      <legend>{texts.webhooks.types}</legend>
      {[true, false].map((isAll) => (
        <label key={String(isAll)} class="check">
          <input
            type="radio"
            name="webhook-types"
            checked={(types === ALL_TYPES) === isAll}
            onChange={() => onTypes(isAll ? ALL_TYPES : "")}
          />
          {isAll ? texts.webhooks.allTypes : texts.webhooks.someTypes}
        </label>
      ))}
      {types !== ALL_TYPES && (
        <ul class="list kinds" aria-label={texts.webhooks.kinds}>
          {EVENT_KINDS.map((kind) => (
            <Kind key={kind} kind={kind} chosen={chosen} onChange={set} />
          ))}
        </ul>
      )}
    </fieldset>
  );
}

interface KindProps {
  readonly kind: EventKind;
  readonly chosen: ReadonlySet<string>;
  readonly onChange: (types: readonly string[], isChosen: boolean) => void;
}

/** One box for all events of a kind, and one for each of them where the person opens it. */
function Kind({ kind, chosen, onChange }: KindProps) {
  const isOpen = useSignal(false);
  const all: readonly string[] = TYPES_OF_KIND[kind];
  const count = all.filter((type) => chosen.has(type)).length;
  const name = texts.events.kinds[kind];
  const chosenTypes = texts.webhooks.chosenTypes(count, all.length);
  return (
    <li>
      <div class="kind">
        <label class="check">
          <input
            type="checkbox"
            checked={count === all.length}
            indeterminate={count > 0 && count < all.length}
            onChange={({ currentTarget }) => onChange(all, currentTarget.checked)}
          />
          {name}
        </label>
        {all.length > 1 && (
          <button
            type="button"
            class="button plain small"
            aria-expanded={isOpen.value}
            aria-label={texts.webhooks.typesOf(name, chosenTypes)}
            onClick={() => (isOpen.value = !isOpen.value)}
          >
            <span class="muted numbers">{chosenTypes}</span>
            <Icon name={isOpen.value ? "up" : "down"} size={16} />
          </button>
        )}
      </div>
      {isOpen.value && (
        <div class="types">
          {TYPES_OF_KIND[kind].map((type) => (
            <label key={type} class="check">
              <input
                type="checkbox"
                checked={chosen.has(type)}
                onChange={({ currentTarget }) => onChange([type], currentTarget.checked)}
              />
              {describeTypes([type])}
            </label>
          ))}
        </div>
      )}
    </li>
  );
}
