import { useSignal } from "@preact/signals";
import type { components } from "../../client/src/index.ts";
import { Icon } from "../shared/icons.tsx";
import type { MenuItem } from "../shared/menu.tsx";
import { may } from "../shared/session.ts";
import { store } from "../shared/store.ts";
import { showError } from "../shared/toast.tsx";
import { texts } from "../texts-admin.ts";
import { Deliveries } from "./deliveries.tsx";
import { SecretDialog } from "./secret-dialog.tsx";
import { Section, useLoaded } from "./section.tsx";
import { DeleteWebhook, ReplayWebhook, RotateSecret, TestWebhook } from "./webhook-dialogs.tsx";
import type { Webhook } from "./webhook-draft.ts";
import { EditWebhook, NewWebhook } from "./webhook-form.tsx";
import { WebhookRow } from "./webhook-row.tsx";

type Action = "edit" | "test" | "deliveries" | "replay" | "rotate" | "delete";

export function Webhooks() {
  const loaded = useLoaded(async () => (await store.send("GET", "/v1/webhooks", { query: { pageSize: 1000 } })).items);
  const isMaking = useSignal(false);
  const secret = useSignal<string | undefined>(undefined);
  const open = useSignal<{ readonly action: Action; readonly webhook: Webhook } | undefined>(undefined);
  const close = () => {
    isMaking.value = false;
    open.value = undefined;
    void loaded.load();
  };
  const onSecret = (made: string) => {
    close();
    secret.value = made;
  };
  return (
    <Section
      title={texts.webhooks.title}
      loaded={loaded}
      action={
        <div class="row">
          <button
            type="button"
            class="button icon"
            aria-label={texts.webhooks.refresh}
            title={texts.webhooks.refresh}
            onClick={() => void loaded.load()}
          >
            <Icon name="retry" size={18} />
          </button>
          {may("events") && (
            <button type="button" class="button" onClick={() => (isMaking.value = true)}>
              <Icon name="plus" size={18} />
              {texts.webhooks.create}
            </button>
          )}
        </div>
      }
    >
      {loaded.data.value?.length === 0 && <p class="muted">{texts.webhooks.none}</p>}
      <ul class="list" aria-label={texts.webhooks.title}>
        {loaded.data.value?.map((webhook) => (
          <WebhookRow
            key={webhook.id}
            webhook={webhook}
            actions={actionsOf(webhook, {
              onOpen: (action) => (open.value = { action, webhook }),
              onPatch: (body) => void patch(webhook, body).then(loaded.load, showError),
            })}
          />
        ))}
      </ul>
      {isMaking.value && <NewWebhook onClose={close} onMade={onSecret} />}
      {open.value !== undefined && <ActionDialog {...open.value} onClose={close} onSecret={onSecret} />}
      {secret.value !== undefined && (
        <SecretDialog
          title={texts.webhooks.secretTitle}
          text={texts.webhooks.secretText}
          secret={secret.value}
          onClose={() => (secret.value = undefined)}
        />
      )}
    </Section>
  );
}

type Patch = components["schemas"]["WebhookPatch"];

const patch = ({ id }: Webhook, body: Patch) =>
  store.send("PATCH", "/v1/webhooks/{webhook}", { path: { webhook: id }, body });

interface Handlers {
  readonly onOpen: (action: Action) => void;
  readonly onPatch: (body: Patch) => void;
}

function actionsOf({ paused, disabled }: Webhook, { onOpen, onPatch }: Handlers): readonly MenuItem[] {
  const opens = (action: Action) => ({ onSelect: () => onOpen(action) });
  return [
    { text: texts.webhooks.deliveries, icon: "events", ...opens("deliveries") },
    { text: texts.webhooks.test, icon: "target", ...opens("test") },
    { text: texts.webhooks.edit, icon: "edit", ...opens("edit") },
    ...(disabled === null
      ? []
      : [{ text: texts.webhooks.enable, icon: "check", onSelect: () => onPatch({ disabled: null }) } as const]),
    {
      text: paused ? texts.webhooks.resume : texts.webhooks.pause,
      icon: paused ? "play" : "pause",
      onSelect: () => onPatch({ paused: !paused }),
    },
    { text: texts.webhooks.replay, icon: "back", ...opens("replay") },
    { text: texts.webhooks.rotate, icon: "retry", ...opens("rotate") },
    { text: texts.webhooks.delete, icon: "trash", danger: true, ...opens("delete") },
  ];
}

interface ActionProps {
  readonly action: Action;
  readonly webhook: Webhook;
  readonly onClose: () => void;
  readonly onSecret: (secret: string) => void;
}

function ActionDialog({ action, webhook, onClose, onSecret }: ActionProps) {
  switch (action) {
    case "edit":
      return <EditWebhook webhook={webhook} onClose={onClose} onSaved={onClose} />;
    case "test":
      return <TestWebhook webhook={webhook} onClose={onClose} />;
    case "deliveries":
      return <Deliveries webhook={webhook} onClose={onClose} />;
    case "replay":
      return <ReplayWebhook webhook={webhook} onClose={onClose} onDone={onClose} />;
    case "rotate":
      return <RotateSecret webhook={webhook} onClose={onClose} onSecret={onSecret} />;
    default:
      return <DeleteWebhook webhook={webhook} onClose={onClose} onDone={onClose} />;
  }
}
