import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { components } from "../../client/src/index.ts";
import { Dialog } from "../shared/dialog.tsx";
import { formatTime } from "../shared/format.ts";
import { Icon } from "../shared/icons.tsx";
import { Problem } from "../shared/problem.tsx";
import { store } from "../shared/store.ts";
import { useSubmit } from "../shared/submit.ts";
import { texts } from "../texts-admin.ts";
import { OutcomeChip, OutcomeTexts } from "./webhook-attempt.tsx";
import type { Webhook } from "./webhook-draft.ts";
import { describeTypes } from "./webhook-row.tsx";

type Attempt = components["schemas"]["DeliveryAttempt"];

const PAGE_SIZE = 25;

/** The last attempts of a webhook, newest first. */
export function Deliveries({ webhook, onClose }: { readonly webhook: Webhook; readonly onClose: () => void }) {
  const attempts = useSignal<readonly Attempt[] | undefined>(undefined);
  const next = useSignal<string | undefined>(undefined);
  const read = async (pageToken?: string) => {
    const page = await store.send("GET", "/v1/webhooks/{webhook}/deliveries", {
      path: { webhook: webhook.id },
      query: { pageSize: PAGE_SIZE, ...(pageToken === undefined ? {} : { pageToken }) },
    });
    const before = pageToken === undefined ? [] : (attempts.value ?? []);
    attempts.value = [...before, ...page.items];
    next.value = page.nextPageToken;
  };
  const first = useSubmit(() => read());
  const more = useSubmit(() => read(next.value));
  useEffect(() => {
    void first.submit();
  }, []);
  return (
    <Dialog title={texts.webhooks.deliveriesOf(webhook.url)} wide onClose={onClose}>
      {attempts.value === undefined && first.busy.value && <p class="muted">{texts.loading}</p>}
      {attempts.value?.length === 0 && <p class="muted">{texts.webhooks.noDeliveries}</p>}
      <ol class="list" aria-label={texts.webhooks.deliveries}>
        {attempts.value?.map((attempt) => (
          <DeliveryRow key={attempt.id} attempt={attempt} />
        ))}
      </ol>
      {[first, more].map(
        ({ error, submit }, at) =>
          error.value !== undefined && <Problem key={at} error={error.value} onRetry={() => void submit()} />,
      )}
      <div class="form-end">
        {next.value !== undefined && (
          <button type="button" class="button" disabled={more.busy.value} onClick={() => void more.submit()}>
            {texts.more}
          </button>
        )}
        <button type="button" class="button" disabled={first.busy.value} onClick={() => void first.submit()}>
          <Icon name="retry" size={18} />
          {texts.webhooks.deliveriesRefresh}
        </button>
        <button type="button" class="button" onClick={onClose}>
          {texts.close}
        </button>
      </div>
    </Dialog>
  );
}

const DeliveryRow = ({ attempt }: { readonly attempt: Attempt }) => (
  <li class="delivery">
    <p class="row">
      <OutcomeChip {...attempt} />
      <span>{describeTypes([attempt.type])}</span>
      <span class="small muted numbers">
        {[
          texts.webhooks.took(attempt.milliseconds),
          texts.webhooks.attempt(attempt.attempt),
          ...(attempt.replay ? [texts.webhooks.ofReplay] : []),
        ].join(" · ")}
      </span>
      <time class="small muted numbers" dateTime={attempt.startedAt}>
        {formatTime(attempt.startedAt)}
      </time>
    </p>
    <OutcomeTexts {...attempt} />
  </li>
);
