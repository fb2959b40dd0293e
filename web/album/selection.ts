import { type Signal, signal } from "@preact/signals";
import type { Columns } from "./columns.ts";

/** The chosen pictures, by id, so that they stay chosen while others come and go. */
export class Selection {
  readonly ids: Signal<ReadonlySet<string>> = signal(new Set<string>());
  /** Where a range begins. */
  #anchor: string | undefined;

  toggle(id: string): void {
    const ids = new Set(this.ids.value);
    if (!ids.delete(id)) ids.add(id);
    this.#anchor = id;
    this.ids.value = ids;
  }

  set(ids: Iterable<string>, anchor = this.#anchor): void {
    this.#anchor = anchor;
    this.ids.value = new Set(ids);
  }

  /** Everything from the last one that was chosen to this one. */
  extendTo(columns: Columns, index: number): void {
    const from = this.#anchor === undefined ? -1 : columns.indexOf(this.#anchor);
    const start = from === -1 ? index : Math.min(from, index);
    const end = from === -1 ? index : Math.max(from, index);
    const ids = new Set(this.ids.value);
    for (let at = start; at <= end; at += 1) ids.add(columns.id(at));
    this.#anchor ??= columns.id(index);
    this.ids.value = ids;
  }

  all(columns: Columns): void {
    const ids = new Set<string>();
    for (let index = 0; index < columns.count; index += 1) ids.add(columns.id(index));
    this.ids.value = ids;
  }

  clear(): void {
    this.#anchor = undefined;
    this.ids.value = new Set();
  }

  /** Forgets those that are gone. */
  keep(columns: Columns): void {
    const ids = [...this.ids.value];
    if (ids.length === 0 || ids.length > MAX_CHECKED) return;
    const left = ids.filter((id) => columns.indexOf(id) !== -1);
    if (left.length < ids.length) this.ids.value = new Set(left);
  }
}

const MAX_CHECKED = 500;
