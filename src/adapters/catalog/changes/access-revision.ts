import type { Driver } from "../driver.ts";

/** By it nodes notice that a credential gives something else, or nothing. The last statement of a change: all such wait for this row. */
export const moveAccessRevision = (db: Driver) =>
  db.run("update access_state set revision = revision + 1 where id = 1");
