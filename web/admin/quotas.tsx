import { useSignal } from "@preact/signals";
import type { components } from "../../client/src/index.ts";
import { TextField } from "../shared/form.tsx";
import { FormDialog } from "../shared/form-dialog.tsx";
import { formatBytes, formatCount } from "../shared/format.ts";
import { Icon } from "../shared/icons.tsx";
import { store } from "../shared/store.ts";
import { useSubmit } from "../shared/submit.ts";
import { texts } from "../texts-admin.ts";
import { Section, useLoaded } from "./section.tsx";

type Quota = components["schemas"]["NamedQuota"];

const BYTES_IN_GB = 1_000_000_000;

const readQuotas = async () => (await store.send("GET", "/v1/quotas", { query: { pageSize: 1000 } })).items;

/** A scope has an id, which people don't know. */
function titleOf({ scope, name }: Quota): string {
  if (scope === "store") return texts.quotas.ofStore;
  return (scope.startsWith("keys/") ? texts.quotas.ofKey : texts.quotas.ofAlbum)(name ?? scope);
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
        {loaded.data.value?.map((quota) => (
          <QuotaRow key={quota.scope} quota={quota} />
        ))}
      </ul>
      {isSetting.value && (
        <SetQuota
          current={loaded.data.value?.find(({ scope }) => scope === "store")}
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

function QuotaRow({ quota }: { readonly quota: Quota }) {
  const { maxBytes, maxImages, used } = quota;
  return (
    <li class="share">
      <div class="grow">
        <strong dir="auto">{titleOf(quota)}</strong>
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

interface SetProps {
  /** Undefined where there is none. */
  readonly current: Quota | undefined;
  readonly onClose: () => void;
  readonly onDone: () => void;
}

function SetQuota({ current, onClose, onDone }: SetProps) {
  const gigabytes = useSignal(textOf(current?.maxBytes, BYTES_IN_GB));
  const images = useSignal(textOf(current?.maxImages));
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

const textOf = (limit: number | null | undefined, unit = 1): string => (limit == null ? "" : String(limit / unit));
