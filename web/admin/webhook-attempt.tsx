import type { components } from "../../client/src/index.ts";
import { texts } from "../texts-admin.ts";

type Outcome = Pick<
  components["schemas"]["WebhookTestResult"],
  "delivered" | "status" | "error" | "milliseconds" | "response"
>;

export const OutcomeChip = ({ delivered, status }: Pick<Outcome, "delivered" | "status">) => (
  <span class={delivered ? "chip" : "chip failed"}>
    {delivered ? texts.webhooks.delivered(status) : texts.webhooks.failed(status)}
  </span>
);

/** Why an attempt failed, and what the receiver answered: a text of strangers. */
export const OutcomeTexts = ({ error, response }: Pick<Outcome, "error" | "response">) => (
  <>
    {error !== null && (
      <p class="small" dir="auto">
        {error.detail} <span class="mono muted">{error.code}</span>
      </p>
    )}
    {response !== "" && (
      <details>
        <summary class="small">{texts.webhooks.response}</summary>
        <pre tabIndex={0} dir="auto" aria-label={texts.webhooks.response}>
          {response}
        </pre>
      </details>
    )}
  </>
);
