import { texts } from "../texts-admin.ts";
import { Cursors } from "./cursors.tsx";
import { Keys } from "./keys.tsx";
import { Quotas } from "./quotas.tsx";
import { Totals } from "./totals.tsx";
import { VariantCache } from "./variant-cache.tsx";
import { Webhooks } from "./webhooks.tsx";

export function AdminView() {
  return (
    <div class="page narrow">
      <h1>{texts.admin.title}</h1>
      <Totals />
      <Keys />
      <Quotas />
      <Webhooks />
      <Cursors />
      <VariantCache />
    </div>
  );
}
