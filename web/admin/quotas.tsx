import { useSignal } from "@preact/signals";
import { TextField } from "../shared/form.tsx";
import { FormDialog } from "../shared/form-dialog.tsx";
import { formatBytes, formatCount } from "../shared/format.ts";
import { Icon } from "../shared/icons.tsx";
import { store } from "../shared/store.ts";
import { useSubmit } from "../shared/submit.ts";
import { texts } from "../texts-admin.ts";
import { Section, useLoaded } from "./section.tsx";

const BYTES_IN_GB = 1_000_000_000;
/** Among more albums than this, those that have quotas are not looked for. */
const MAX_ALBUMS = 10_000;

async function readQuotas() {
  const { items } = await store.send("GET", "/v1/quotas", { query: { pageSize: 1000 } });
  const names = await namesOf(items.map(({ scope }) => scope));
  return items.map((quota) => ({ ...quota, title: names.get(quota.scope) ?? quota.scope }));
}

/** By scope. Quotas know albums and keys by ids, which people don't. */
async function namesOf(scopes: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const names = new Map([["store", texts.quotas.ofStore]]);
  if (scopes.some((scope) => scope.startsWith("keys/"))) {
    const { items } = await store.send("GET", "/v1/keys", { query: { pageSize: 1000, includeRevoked: true } });
    for (const { id, name } of items) names.set(`keys/${id}`, texts.quotas.ofKey(name));
  }
  const wanted = new Set(scopes.filter((scope) => scope.startsWith("albums/")));
  if (wanted.size === 0) return names;
  let seen = 0;
  for await (const { id, name } of store.albums.list({ pageSize: 1000 })) {
    if (wanted.delete(`albums/${id}`)) names.set(`albums/${id}`, texts.quotas.ofAlbum(name));
    if (wanted.size === 0 || ++seen === MAX_ALBUMS) break;
  }
  return names;
}

/** Every quota with what is used of it; that of the store can be set here. */
export function Quotas() {
  const loaded = useLoaded(readQuotas);
  const isSetting = useSignal(false);
  return (
    <Section
      title={texts.quotas.title}
      loaded={loaded}
      action={
        <button type="button" class="button" onClick={() => (isSetting.value = true)}>
          <Icon name="edit" size={18} />
          {texts.quotas.set}
        </button>
      }
    >
      {loaded.data.value?.length === 0 && <p class="muted">{texts.quotas.none}</p>}
      <ul class="list" aria-label={texts.quotas.title}>
        {loaded.data.value?.map(({ scope, title, maxBytes, maxImages, used }) => (
          <li key={scope} class="share">
            <div class="grow">
              <strong dir="auto">{title}</strong>
              {maxBytes !== null && (
                <Meter
                  text={texts.quotas.of(formatBytes(used.bytes), formatBytes(maxBytes))}
                  value={used.bytes}
                  max={maxBytes}
                />
              )}
              {maxImages !== null && (
                <Meter
                  text={texts.quotas.of(texts.pictures(used.images), formatCount(maxImages))}
                  value={used.images}
                  max={maxImages}
                />
              )}
            </div>
          </li>
        ))}
      </ul>
      {isSetting.value && (
        <SetQuota
          onClose={() => (isSetting.value = false)}
          onDone={() => {
            isSetting.value = false;
            void loaded.load();
          }}
        />
      )}
    </Section>
  );
}

interface MeterProps {
  readonly text: string;
  readonly value: number;
  readonly max: number;
}

const Meter = ({ text, value, max }: MeterProps) => (
  <label class="small numbers meter">
    <span>
      {text} {value >= max && <strong class="chip failed">{texts.quotas.full}</strong>}
    </span>
    <progress max={Math.max(1, max)} value={Math.min(value, max)} />
  </label>
);

function SetQuota({ onClose, onDone }: { readonly onClose: () => void; readonly onDone: () => void }) {
  const gigabytes = useSignal("");
  const images = useSignal("");
  const form = useSubmit(async () => {
    const maxBytes = gigabytes.value === "" ? null : Math.round(Number(gigabytes.value) * BYTES_IN_GB);
    const maxImages = images.value === "" ? null : Number(images.value);
    if (maxBytes === null && maxImages === null) await store.send("DELETE", "/v1/quotas/store", {});
    else await store.send("PUT", "/v1/quotas/store", { body: { maxBytes, maxImages } });
    onDone();
  });
  return (
    <FormDialog title={texts.quotas.set} form={form} action={texts.save} onClose={onClose}>
      <TextField
        label={texts.quotas.gigabytes}
        type="number"
        step="any"
        hasFocus
        value={gigabytes.value}
        onText={(text) => (gigabytes.value = text)}
      />
      <TextField
        label={texts.quotas.images}
        hint={texts.quotas.hint}
        type="number"
        step="1"
        value={images.value}
        onText={(text) => (images.value = text)}
      />
    </FormDialog>
  );
}
