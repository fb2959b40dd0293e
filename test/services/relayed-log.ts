import type { CloudEvent } from "../../src/domain/event.ts";
import { jsonOf } from "../http/harness.ts";
import { until } from "../waiting.ts";

/** A running store, of one node or of many. */
interface Store {
  readonly url: string;
}

export const waitForRelay = ({ url }: Store, topic: string): Promise<void> =>
  until(async () => {
    const { items } = await jsonOf<{ items: { name: string; lagEvents: number }[] }>(await fetch(`${url}/v1/cursors`));
    return items.find(({ name }) => name === topic)?.lagEvents === 0;
  }, 100);

export async function readLog({ url }: Store): Promise<CloudEvent[]> {
  const events: CloudEvent[] = [];
  for (let query = ""; ; ) {
    const response = await fetch(`${url}/v1/events?limit=1000${query}`);
    const page = await jsonOf<{ items: CloudEvent[]; nextCursor: string }>(response);
    if (page.items.length === 0) return events;
    events.push(...page.items);
    query = `&after=${page.nextCursor}`;
  }
}

/** What a consumer keeps that follows our documentation: nothing whose sequence is not above its key's highest. */
export function dropLateDuplicates(events: readonly CloudEvent[]): Map<string, CloudEvent[]> {
  const kept = new Map<string, CloudEvent[]>();
  for (const event of events) {
    const ofKey = kept.get(event.partitionkey) ?? [];
    kept.set(event.partitionkey, ofKey);
    if (event.sequence > (ofKey.at(-1)?.sequence ?? "")) ofKey.push(event);
  }
  return kept;
}
