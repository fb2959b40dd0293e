import type { Driver } from "../driver.ts";

/** The clock that all nodes share, in milliseconds since 1970. */
export const SELECT_NOW = "select floor(extract(epoch from clock_timestamp()) * 1000)::bigint as now";

export const databaseTime = async (db: Driver): Promise<number> =>
  (await db.get<{ now: number }>(SELECT_NOW))?.now as number;
