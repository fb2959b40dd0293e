import { useSignal } from "@preact/signals";
import { ConfirmDialog, FormDialog } from "../shared/form-dialog.tsx";
import { formatCount, formatSeconds, formatTime } from "../shared/format.ts";
import { store } from "../shared/store.ts";
import { useSubmit } from "../shared/submit.ts";
import { texts } from "../texts-admin.ts";
import { PositionField, positionOf } from "./position-field.tsx";
import { Section, useLoaded } from "./section.tsx";

/** Cursors of this name go with their webhooks, which say how far behind they are. */
const OF_WEBHOOK = "webhook:";

/** The durable readers of the log, and how far each is behind. */
export function Cursors() {
  const loaded = useLoaded(async () =>
    (await store.send("GET", "/v1/cursors", {})).items.filter(({ name }) => !name.startsWith(OF_WEBHOOK)),
  );
  const chosen = useSignal<string | undefined>(undefined);
  const rewound = useSignal<string | undefined>(undefined);
  return (
    <Section title={texts.cursors.title} loaded={loaded}>
      {loaded.data.value?.length === 0 && <p class="muted">{texts.cursors.none}</p>}
      <ul class="list" aria-label={texts.cursors.title}>
        {loaded.data.value?.map(({ name, lagEvents, lagSeconds, updatedAt }) => (
          <li key={name} class="share">
            <div>
              <strong dir="auto">{name}</strong>
              <p class="small muted numbers">
                {lagEvents === 0
                  ? texts.cursors.current
                  : texts.cursors.behind(formatCount(lagEvents), formatSeconds(lagSeconds))}{" "}
                · {texts.cursors.moved(formatTime(updatedAt))}
              </p>
            </div>
            <span class="row">
              <button
                type="button"
                class="button"
                aria-label={texts.cursors.rewindOf(name)}
                onClick={() => (rewound.value = name)}
              >
                {texts.cursors.rewind}
              </button>
              <button
                type="button"
                class="button"
                aria-label={texts.cursors.deleteOf(name)}
                onClick={() => (chosen.value = name)}
              >
                {texts.cursors.delete}
              </button>
            </span>
          </li>
        ))}
      </ul>
      {chosen.value !== undefined && (
        <ConfirmDialog
          title={texts.cursors.deleteOf(chosen.value)}
          text={texts.cursors.deleteText}
          action={texts.cursors.delete}
          onClose={() => (chosen.value = undefined)}
          onConfirm={async () => {
            await store.send("DELETE", "/v1/cursors/{name}", { path: { name: chosen.value ?? "" } });
            chosen.value = undefined;
            await loaded.load();
          }}
        />
      )}
      {rewound.value !== undefined && (
        <Rewind
          name={rewound.value}
          onClose={() => (rewound.value = undefined)}
          onDone={() => {
            rewound.value = undefined;
            void loaded.load();
          }}
        />
      )}
    </Section>
  );
}

interface RewindProps {
  readonly name: string;
  readonly onClose: () => void;
  readonly onDone: () => void;
}

/** Asks how far a reader goes back: to a time, or to a cursor that was copied from an event. */
function Rewind({ name, onClose, onDone }: RewindProps) {
  const to = useSignal("");
  const form = useSubmit(async () => {
    await store.send("POST", "/v1/cursors/{name}/rewind", {
      path: { name },
      body: { to: positionOf(to.value) },
    });
    onDone();
  });
  return (
    <FormDialog title={texts.cursors.rewindOf(name)} form={form} action={texts.cursors.rewind} onClose={onClose}>
      <p>{texts.cursors.rewindText}</p>
      <PositionField label={texts.position.label} isRequired hasFocus position={to} />
    </FormDialog>
  );
}
