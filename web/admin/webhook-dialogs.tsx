import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { components } from "../../client/src/index.ts";
import { Dialog } from "../shared/dialog.tsx";
import { ConfirmDialog, FormDialog } from "../shared/form-dialog.tsx";
import { Problem } from "../shared/problem.tsx";
import { store } from "../shared/store.ts";
import { useSubmit } from "../shared/submit.ts";
import { showToast } from "../shared/toast.tsx";
import { texts } from "../texts-admin.ts";
import { PositionField, positionOf } from "./position-field.tsx";
import { OutcomeChip, OutcomeTexts } from "./webhook-attempt.tsx";
import type { Webhook } from "./webhook-draft.ts";

interface Props {
  readonly webhook: Webhook;
  readonly onClose: () => void;
}

interface ChangeProps extends Props {
  readonly onDone: () => void;
}

export function DeleteWebhook({ webhook: { id, url }, onClose, onDone }: ChangeProps) {
  return (
    <ConfirmDialog
      title={texts.webhooks.deleteTitle(url)}
      text={texts.webhooks.deleteText}
      action={texts.webhooks.delete}
      onClose={onClose}
      onConfirm={async () => {
        await store.send("DELETE", "/v1/webhooks/{webhook}", { path: { webhook: id } });
        onDone();
      }}
    />
  );
}

interface RotateProps extends Props {
  readonly onSecret: (secret: string) => void;
}

export function RotateSecret({ webhook: { id, url }, onClose, onSecret }: RotateProps) {
  return (
    <ConfirmDialog
      title={texts.webhooks.rotateTitle(url)}
      text={texts.webhooks.rotateText}
      action={texts.webhooks.rotate}
      onClose={onClose}
      onConfirm={async () => {
        const path = { webhook: id };
        const { secret } = await store.send("POST", "/v1/webhooks/{webhook}/rotate-secret", { path, body: {} });
        onSecret(secret);
      }}
    />
  );
}

export function ReplayWebhook({ webhook: { id, url }, onClose, onDone }: ChangeProps) {
  const from = useSignal("");
  const to = useSignal("");
  const form = useSubmit(async () => {
    const end = positionOf(to.value);
    await store.send("POST", "/v1/webhooks/{webhook}/replay", {
      path: { webhook: id },
      body: { from: positionOf(from.value), ...(end === "" ? {} : { to: end }) },
    });
    showToast(texts.webhooks.replayStarted);
    onDone();
  });
  return (
    <FormDialog title={texts.webhooks.replayOf(url)} form={form} action={texts.webhooks.replay} onClose={onClose}>
      <p>{texts.webhooks.replayText}</p>
      <PositionField label={texts.webhooks.replayFrom} isRequired hasFocus position={from} />
      <PositionField label={texts.webhooks.replayTo} position={to} />
    </FormDialog>
  );
}

/** Sends a test event when it opens, and shows what came of it. */
export function TestWebhook({ webhook: { id, url }, onClose }: Props) {
  const result = useSignal<components["schemas"]["WebhookTestResult"] | undefined>(undefined);
  const { busy, error, submit } = useSubmit(async () => {
    result.value = undefined;
    result.value = await store.send("POST", "/v1/webhooks/{webhook}/test", { path: { webhook: id } });
  });
  useEffect(() => {
    void submit();
  }, []);
  return (
    <Dialog title={texts.webhooks.testOf(url)} onClose={onClose}>
      <div class="delivery" role="status">
        {busy.value && <p class="muted">{texts.webhooks.testing}</p>}
        {result.value !== undefined && (
          <>
            <p class="row">
              <OutcomeChip {...result.value} />
              <span class="small muted numbers">{texts.webhooks.took(result.value.milliseconds)}</span>
            </p>
            <OutcomeTexts {...result.value} />
          </>
        )}
      </div>
      {error.value !== undefined && <Problem error={error.value} />}
      <div class="form-end">
        <button type="button" class="button" disabled={busy.value} onClick={() => void submit()}>
          {texts.webhooks.testAgain}
        </button>
        <button type="button" class="button primary" onClick={onClose}>
          {texts.close}
        </button>
      </div>
    </Dialog>
  );
}
