import type { Driver } from "./driver.ts";

export interface WatchedDriver extends Driver {
  /** Whether a statement has changed rows, or one that may is under way. */
  hasWritten(): boolean;
}

/** A view of the driver for one change of a transaction. */
export function watchWrites(driver: Driver): WatchedDriver {
  let writes = 0;
  const note = (sql: string) => {
    if (!sql.startsWith("select ")) writes += 1;
  };
  return {
    all: <Row>(sql: string, values?: Parameters<Driver["all"]>[1]) => {
      note(sql);
      return driver.all<Row>(sql, values);
    },
    get: <Row>(sql: string, values?: Parameters<Driver["get"]>[1]) => {
      note(sql);
      return driver.get<Row>(sql, values);
    },
    run: (sql, values) => {
      writes += 1;
      const changed = driver.run(sql, values);
      const noteChanged = (rows: number) => {
        if (rows === 0) writes -= 1;
        return rows;
      };
      return typeof changed === "number" ? noteChanged(changed) : changed.then(noteChanged);
    },
    rowKey: driver.rowKey,
    memberOf: (column, member) => driver.memberOf(column, member),
    elementsOf: (array) => driver.elementsOf(array),
    hasWritten: () => writes > 0,
  };
}
