import type { EventType } from "../../client/src/index.ts";
import { formatTime } from "../shared/format.ts";
import { Menu, type MenuItem } from "../shared/menu.tsx";
import { texts } from "../texts-admin.ts";
import type { Webhook } from "./webhook-draft.ts";

interface Props {
  readonly webhook: Webhook;
  readonly actions: readonly MenuItem[];
}

export const WebhookRow = ({ webhook, actions }: Props) => {
  const { url, description, createdBy, createdAt, delivery, formerSecretsUntil } = webhook;
  return (
    <li class="webhook">
      <div>
        <strong>
          <bdi dir="ltr">{url}</bdi>
        </strong>{" "}
        <span class={isWell(webhook) ? "chip" : "chip failed"}>{describeState(webhook)}</span>
        {description !== null && <p dir="auto">{description}</p>}
        <p class="small muted">{describeSelection(webhook)}</p>
        <p class="small muted numbers">{describeProgress(webhook)}</p>
        {delivery.lostEventsAt !== null && (
          <p class="small">{texts.webhooks.lost(formatTime(delivery.lostEventsAt))}</p>
        )}
        {formerSecretsUntil !== null && (
          <p class="small muted">{texts.webhooks.formerSecrets(formatTime(formerSecretsUntil))}</p>
        )}
        <p class="small muted">
          <bdi>{texts.webhooks.madeBy(createdBy.name ?? createdBy.kind, formatTime(createdAt))}</bdi>
        </p>
      </div>
      <Menu label={texts.webhooks.actionsOf(url)} items={actions} />
    </li>
  );
};

const isWell = ({ disabled, delivery }: Webhook): boolean => disabled === null && delivery.failingSince === null;

function describeState({ paused, disabled, delivery }: Webhook): string {
  if (disabled !== null) return texts.webhooks.disabled[disabled.reason](formatTime(disabled.at));
  if (paused) return texts.webhooks.paused;
  return delivery.failingSince === null
    ? texts.webhooks.active
    : texts.webhooks.failing(formatTime(delivery.failingSince));
}

function describeSelection({ types, albums }: Webhook): string {
  if (albums === "*") return texts.webhooks.onAll(describeTypes(types));
  return texts.webhooks.on(describeTypes(types), [...(albums.names ?? []), ...(albums.ids ?? [])].join(", "));
}

export function describeTypes(types: readonly EventType[] | null): string {
  if (types === null) return texts.webhooks.allTypes;
  return types
    .map((type) => {
      const [, kind = "", verb = ""] = type.split(".");
      return texts.events.what(kind, verb);
    })
    .join(", ");
}

function describeProgress({ delivery }: Webhook): string {
  const { lagEvents, blockedAlbums, retryAt, replay } = delivery;
  return [
    lagEvents === 0 ? texts.webhooks.current : texts.webhooks.behind(lagEvents),
    blockedAlbums === 0 ? undefined : texts.webhooks.blocked(blockedAlbums),
    retryAt === null ? undefined : texts.webhooks.retry(formatTime(retryAt)),
    replay === null ? undefined : texts.webhooks.replaying,
  ]
    .filter((part) => part !== undefined)
    .join(" · ");
}
