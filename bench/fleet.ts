import { creates } from "./fleet-creates.ts";
import { reads } from "./fleet-reads.ts";
import { runningServers, serversAreMissing } from "./fleet-servers.ts";
import { nodeStart } from "./fleet-start.ts";
import { streams } from "./fleet-streams.ts";
import type { Benchmark, Row } from "./frame.ts";

export const fleet: Benchmark = {
  name: "fleet",
  about: "nodes on PostgreSQL and S3: creates, reads on three nodes against one, memory of event streams, start",
  async run(context) {
    if (serversAreMissing())
      return [{ work: "nodes", ours: undefined, note: "NOT RUN: requires PostgreSQL and an S3 server" }];
    const servers = await runningServers();
    const rows: Row[] = [];
    for (const part of [creates, reads, streams, nodeStart]) {
      context.say(part.name);
      rows.push(...(await part(context, servers)));
    }
    return rows;
  },
};
