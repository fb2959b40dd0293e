import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { StoreError } from "../../client/src/index.ts";
import { TextField } from "../shared/form.tsx";
import { FormDialog } from "../shared/form-dialog.tsx";
import { createIdempotency } from "../shared/idempotency.ts";
import { may } from "../shared/session.ts";
import { ifMatch, store } from "../shared/store.ts";
import { useSubmit } from "../shared/submit.ts";
import { texts } from "../texts-admin.ts";
import { EventTypesField } from "./event-types-field.tsx";
import {
  draftOf,
  EMPTY_DRAFT,
  mergeUntouched,
  patchOf,
  valuesOf,
  type Webhook,
  type WebhookDraft,
  type WebhookField,
} from "./webhook-draft.ts";
import { describeTypes } from "./webhook-row.tsx";

interface NewProps {
  readonly onClose: () => void;
  readonly onMade: (secret: string) => void;
}

export function NewWebhook({ onClose, onMade }: NewProps) {
  const draft = useSignal(EMPTY_DRAFT);
  const idempotency = useMemo(createIdempotency, []);
  const form = useSubmit(async () => {
    const body = valuesOf(draft.value);
    const { secret } = await store.send("POST", "/v1/webhooks", { body, headers: idempotency(body) });
    onMade(secret);
  });
  return (
    <FormDialog
      title={texts.webhooks.create}
      form={form}
      action={texts.webhooks.create}
      isDisabled={draft.value.types === ""}
      onClose={onClose}
    >
      <Fields draft={draft.value} onDraft={(changed) => (draft.value = changed)} />
    </FormDialog>
  );
}

interface EditProps {
  readonly webhook: Webhook;
  readonly onClose: () => void;
  readonly onSaved: () => void;
}

export function EditWebhook({ webhook, onClose, onSaved }: EditProps) {
  const current = useSignal(webhook);
  const draft = useSignal(draftOf(webhook));
  const form = useSubmit(async () => {
    const body = patchOf(draft.value, draftOf(current.value));
    if (Object.keys(body).length > 0)
      await store.send("PATCH", "/v1/webhooks/{webhook}", {
        path: { webhook: webhook.id },
        body,
        headers: ifMatch(current.value),
      });
    onSaved();
  });
  const isConflict = form.error.value instanceof StoreError && form.error.value.code === "precondition_failed";
  /** What the person typed stays; what the other one saved is shown beside it, and saving again replaces it. */
  const onReload = async () => {
    try {
      const theirs = await store.send("GET", "/v1/webhooks/{webhook}", { path: { webhook: webhook.id } });
      draft.value = mergeUntouched(draft.value, draftOf(current.value), draftOf(theirs));
      current.value = theirs;
      form.error.value = undefined;
    } catch (cause) {
      form.error.value = cause;
    }
  };
  return (
    <FormDialog
      title={texts.webhooks.editOf(webhook.url)}
      form={form}
      action={texts.save}
      isDisabled={draft.value.types === ""}
      onClose={onClose}
      onRetry={isConflict ? () => void onReload() : undefined}
    >
      <Fields
        draft={draft.value}
        saved={current.value === webhook ? undefined : draftOf(current.value)}
        onDraft={(changed) => (draft.value = changed)}
      />
    </FormDialog>
  );
}

interface FieldsProps {
  readonly draft: WebhookDraft;
  /** What another person has saved meanwhile. */
  readonly saved?: WebhookDraft | undefined;
  readonly onDraft: (draft: WebhookDraft) => void;
}

function Fields({ draft, saved, onDraft }: FieldsProps) {
  const set = (field: WebhookField) => (text: string) => onDraft({ ...draft, [field]: text });
  const meanwhile = (field: WebhookField) =>
    saved === undefined || saved[field] === draft[field] ? undefined : <Saved field={field} text={saved[field]} />;
  const maySelect = may("events");
  return (
    <>
      {maySelect ? (
        <TextField
          label={texts.webhooks.url}
          hint={texts.webhooks.urlHint}
          isRequired
          hasFocus
          value={draft.url}
          onText={set("url")}
        >
          {meanwhile("url")}
        </TextField>
      ) : (
        <p class="made">{texts.webhooks.noEvents}</p>
      )}
      <TextField
        label={texts.webhooks.description}
        maxLength={500}
        value={draft.description}
        onText={set("description")}
      >
        {meanwhile("description")}
      </TextField>
      {maySelect && (
        <>
          <EventTypesField types={draft.types} onTypes={set("types")} />
          {meanwhile("types")}
          <TextField
            label={texts.webhooks.albums}
            hint={texts.webhooks.albumsHint}
            isLong
            value={draft.names}
            onText={set("names")}
          >
            {meanwhile("names")}
          </TextField>
          {(draft.ids !== "" || (saved?.ids ?? "") !== "") && (
            <TextField label={texts.webhooks.albumIds} isLong value={draft.ids} onText={set("ids")}>
              {meanwhile("ids")}
            </TextField>
          )}
        </>
      )}
      {saved !== undefined && <p role="status">{texts.webhooks.changedMeanwhile}</p>}
    </>
  );
}

const Saved = ({ field, text }: { readonly field: WebhookField; readonly text: string }) => (
  <span class="hint">
    {texts.webhooks.savedMeanwhile}{" "}
    <bdi>{field === "types" ? describeTypes(valuesOf({ ...EMPTY_DRAFT, types: text }).types) : text || "–"}</bdi>
  </span>
);
