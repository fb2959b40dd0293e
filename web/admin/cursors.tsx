import { useSignal } from "@preact/signals";
import { ConfirmDialog } from "../shared/form-dialog.tsx";
import { formatCount, formatSeconds, formatTime } from "../shared/format.ts";
import { store } from "../shared/store.ts";
import { texts } from "../texts-admin.ts";
import { Section, useLoaded } from "./section.tsx";

/** The durable readers of the log, and how far each is behind. */
export function Cursors() {
  const loaded = useLoaded(async () => (await store.send("GET", "/v1/cursors", {})).items);
  const chosen = useSignal<string | undefined>(undefined);
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
            <button
              type="button"
              class="button"
              aria-label={texts.cursors.deleteOf(name)}
              onClick={() => (chosen.value = name)}
            >
              {texts.cursors.delete}
            </button>
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
    </Section>
  );
}
