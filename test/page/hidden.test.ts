import { describe, expect, spyOn, test } from "bun:test";
import { Chosen } from "../../web/album/chosen.ts";
import { AT_ONCE, Columns } from "../../web/album/columns.ts";
import { Hidden } from "../../web/album/hidden.ts";

/** What is deleted leaves the page by its places, or by its ids where other columns are shown. */

/** More than are chosen by their ids. */
const MANY = AT_ONCE + 5000;

const newIds = (count: number): readonly string[] => Array.from({ length: count }, () => crypto.randomUUID());

function append(columns: Columns, ids: readonly string[]): Columns {
  const all = <Value>(value: Value) => ids.map(() => value);
  columns.append({
    ids: [...ids],
    sha256: all("00".repeat(32)),
    widths: ids.map((_, index) => index + 1),
    heights: all(1),
    placeholders: all(null),
    takenAt: all(null),
    createdAt: all(0),
    watermark: "",
  });
  return columns;
}

const columnsOf = (ids: readonly string[]) => append(new Columns(0), ids);
const idsOf = (columns: Columns): readonly string[] => Array.from({ length: columns.count }, (_, at) => columns.id(at));

describe("many chosen pictures", () => {
  test("are hidden and brought back without making an id", () => {
    const columns = columnsOf(newIds(MANY));
    const few = Chosen.of([columns.id(3), columns.id(7)]);
    const hidden = new Hidden();
    hidden.restOf(columns);
    hidden.add(few);
    const rest = hidden.restOf(columns);
    const made = [columns, rest].map((one) => spyOn(one, "id"));
    const many = Chosen.none.with(rest, 1, rest.count - 1);
    hidden.add(many);
    expect(hidden.restOf(columns).count).toBe(2);
    hidden.delete(few);
    expect(hidden.restOf(columns).count).toBe(4);
    hidden.delete(many);
    expect(hidden.restOf(columns)).toBe(columns);
    for (const spy of made) expect(spy).toHaveBeenCalledTimes(0);
  });

  test("have their ids made as these are asked for, and in slices where all are needed", async () => {
    const columns = columnsOf(newIds(MANY));
    const made = spyOn(columns, "id");
    const chosen = Chosen.none.with(columns, 0, MANY);
    const [first] = chosen;
    expect(first).toBe(String(made.mock.results[0]?.value));
    expect(made).toHaveBeenCalledTimes(1);

    made.mockClear();
    const slices: number[] = [];
    const byIds = await chosen.byIds(async () => {
      slices.push(made.mock.calls.length);
      made.mockClear();
    });
    expect(byIds.size).toBe(MANY);
    expect(slices.length).toBeGreaterThan(4);
    expect(Math.max(...slices)).toBeLessThanOrEqual(MANY / slices.length);
  });
});

describe("hidden pictures", () => {
  test("stay hidden in other columns, as they grow", async () => {
    const ids = newIds(MANY);
    const columns = columnsOf(ids);
    const hidden = new Hidden();
    hidden.restOf(columns);
    hidden.add(Chosen.none.with(columns, 100, MANY));
    await hidden.leaveColumns();
    const shuffled = ids.toSorted();
    const others = columnsOf(shuffled.slice(0, 1000));
    const left = new Set(ids.slice(0, 100));
    const expected = shuffled.filter((id) => left.has(id));
    const rest = hidden.restOf(others);
    expect(idsOf(rest)).toEqual(expected.filter((id) => shuffled.indexOf(id) < 1000));
    append(others, shuffled.slice(1000));
    expect(hidden.restOf(others)).toBe(rest);
    expect(idsOf(rest)).toEqual(expected);
  });

  test.each([
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ])("that were hidden one after the other are brought back as %d, %d and %d", (first, second, third) => {
    const ids = newIds(MANY);
    const columns = columnsOf(ids);
    const hidden = new Hidden();
    const deleted: { readonly chosen: Chosen; readonly gone: ReadonlySet<string> }[] = [];
    let shown = hidden.restOf(columns);
    const expectRest = () => {
      shown = hidden.restOf(columns);
      expect(idsOf(shown)).toEqual(ids.filter((id) => !deleted.some(({ gone }) => gone.has(id))));
      expect(shown.widths[0]).toBe(ids.indexOf(shown.id(0)) + 1);
    };
    const hide = (chosen: Chosen) => {
      hidden.add(chosen);
      deleted.push({ chosen, gone: new Set(chosen) });
      expectRest();
    };
    hide(Chosen.of([0, 7, 8, 9000, MANY - 1].map((index) => columns.id(index))));
    hide(
      Chosen.none
        .with(shown, 2, shown.count - 3)
        .without(shown, 6)
        .without(shown, 9000),
    );
    hide(Chosen.none.with(shown, 1, 4));
    for (const { chosen } of [first, second, third].map((at) => deleted[at] ?? { chosen: Chosen.none })) {
      hidden.delete(chosen);
      deleted.splice(
        deleted.findIndex((one) => one.chosen === chosen),
        1,
      );
      expectRest();
    }
    expect(shown).toBe(columns);
  });
});
