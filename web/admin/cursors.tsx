import { useSignal } from "@preact/signals";
import { Dialog } from "../shared/dialog.tsx";
import { formatCount, formatSeconds, formatTime } from "../shared/format.ts";
import { Problem } from "../shared/problem.tsx";
import { store } from "../shared/store.ts";
import { useSubmit } from "../shared/submit.ts";
import { texts } from "../texts-admin.ts";
import { Section, useLoaded } from "./section.tsx";

/** The durable readers of the log, and how far each is behind. */
export function Cursors() {
  const loaded = useLoaded(async () => (await store.send("GET", "/v1/cursors", {})).items);
  const chosen = useSignal<string | undefined>(undefined);
  const { busy, error, submit } = useSubmit(async () => {
    await store.send("DELETE", "/v1/cursors/{name}", { path: { name: chosen.value ?? "" } });
    chosen.value = undefined;
    await loaded.load();
  });
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
        <Dialog title={texts.cursors.deleteOf(chosen.value)} onClose={() => (chosen.value = undefined)}>
          <p>{texts.cursors.deleteText}</p>
          {error.value !== undefined && <Problem error={error.value} />}
          <div class="form-end">
            <button type="button" class="button" autofocus onClick={() => (chosen.value = undefined)}>
              {texts.cancel}
            </button>
            <button type="button" class="button danger" disabled={busy.value} onClick={() => void submit()}>
              {texts.cursors.delete}
            </button>
          </div>
        </Dialog>
      )}
    </Section>
  );
}
