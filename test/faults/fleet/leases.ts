import { setTimeout as sleep } from "node:timers/promises";
import type { Fleet, FleetNode } from "./fleet.ts";

/** The node whose metrics say that it holds the lease. Waits until there is one. */
export async function holderOf({ nodes }: Pick<Fleet, "nodes">, lease: string): Promise<FleetNode> {
  for (;;) {
    for (const node of nodes) if (node.isServing && (await holds(node, lease))) return node;
    await sleep(100);
  }
}

async function holds({ url }: FleetNode, lease: string): Promise<boolean> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  return metrics.split("\n").includes(`image_store_lease_held{lease="${lease}"} 1`);
}
