import { useSignal } from "@preact/signals";
import { FormEnd, TextField } from "../shared/form.tsx";
import { store } from "../shared/store.ts";
import { useSubmit } from "../shared/submit.ts";
import { texts } from "../texts-admin.ts";

const DAY_MS = 86_400_000;
const LIVES = [1, 7, 30, 365, 0];

interface Props {
  readonly album: string;
  readonly canAdd: boolean;
  readonly canGiveOriginals: boolean;
  readonly onMade: (url: string) => void;
}

export function NewShare({ album, canAdd, canGiveOriginals, onMade }: Props) {
  const label = useSignal("");
  const days = useSignal(30);
  const withAdding = useSignal(false);
  const withOriginals = useSignal(false);
  const form = useSubmit(async () => {
    const { url } = await store.send("POST", "/v1/albums/{album}/shares", {
      path: { album },
      body: {
        label: label.value.trim() || null,
        rights: withAdding.value ? ["read", "write"] : ["read"],
        originals: withOriginals.value,
        expiresAt: days.value === 0 ? null : new Date(Date.now() + days.value * DAY_MS).toISOString(),
      },
    });
    label.value = "";
    onMade(new URL(url, location.href).href);
  });
  return (
    <form class="stack" onSubmit={form.onSubmit}>
      <div class="two">
        <TextField
          label={texts.shares.label}
          hint={texts.shares.labelHint}
          maxLength={200}
          hasFocus
          value={label.value}
          onText={(text) => (label.value = text)}
        />
        <label class="field">
          <span class="label">{texts.shares.life}</span>
          <select
            class="input"
            value={String(days.value)}
            onChange={(event) => (days.value = Number(event.currentTarget.value))}
          >
            {LIVES.map((one) => (
              <option key={one} value={one}>
                {texts.shares.days(one)}
              </option>
            ))}
          </select>
        </label>
      </div>
      {canAdd && (
        <label class="check">
          <input
            type="checkbox"
            checked={withAdding.value}
            onChange={(event) => (withAdding.value = event.currentTarget.checked)}
          />
          {texts.shares.mayAdd}
        </label>
      )}
      {canGiveOriginals && (
        <label class="check">
          <input
            type="checkbox"
            checked={withOriginals.value}
            onChange={(event) => (withOriginals.value = event.currentTarget.checked)}
          />
          {texts.shares.originals}
        </label>
      )}
      <FormEnd form={form} action={texts.shares.make} />
    </form>
  );
}
