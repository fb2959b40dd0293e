import type { CloudEvent } from "../../src/domain/event.ts";

/** All pages of a listing. */
export async function listAll<Item>(url: string): Promise<Item[]> {
  const items: Item[] = [];
  let token = "";
  do {
    const page = await getJson<{ items: Item[]; nextPageToken?: string | null }>(`${url}?pageSize=1000${token}`);
    items.push(...page.items);
    token = page.nextPageToken ? `&pageToken=${encodeURIComponent(page.nextPageToken)}` : "";
  } while (token !== "");
  return items;
}

/** The whole log. */
export async function readLog(url: string): Promise<CloudEvent[]> {
  const events: CloudEvent[] = [];
  let after = "";
  for (;;) {
    const page = await getJson<{ items: CloudEvent[]; nextCursor: string }>(`${url}/v1/events?limit=1000${after}`);
    if (page.items.length === 0) return events;
    events.push(...page.items);
    after = `&after=${encodeURIComponent(page.nextCursor)}`;
  }
}

async function getJson<Body>(url: string): Promise<Body> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`GET ${url} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as Body;
}
