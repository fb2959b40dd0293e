import type { TcpProxyOptions } from "../../services/tcp-proxy.ts";

/** Where the connection breaks: the COMMIT never comes to PostgreSQL, or is done and its answer never comes back. */
export type CutPoint = "before" | "after";

export interface CommitCutter {
  readonly onPostgresData: NonNullable<TcpProxyOptions["onData"]>;
  /** Cuts some of the connections that commit, from now on. */
  start(point: CutPoint): void;
  stop(): void;
  readonly cuts: Readonly<Record<CutPoint, number>>;
}

const ONE_IN = 8;

export function createCommitCutter(): CommitCutter {
  let cutting: CutPoint | undefined;
  const cuts = { before: 0, after: 0 };
  return {
    cuts,
    onPostgresData(direction, chunk, connection) {
      if (cutting === undefined || direction !== (cutting === "before" ? "toServer" : "toClient")) return;
      // As a statement; as the tag of a command that is complete.
      const commits = cutting === "before" ? /\bcommit\b/i.test(chunk.toString("latin1")) : chunk.includes("COMMIT\0");
      if (!commits || Math.random() * ONE_IN > 1) return;
      cuts[cutting]++;
      connection.cut();
    },
    start(point) {
      cutting = point;
    },
    stop() {
      cutting = undefined;
    },
  };
}
