import type { Change, ChangeResult } from "../domain/change.ts";
import type { Requester } from "../domain/requested.ts";
import type { Catalog } from "../ports.ts";

/** The catalog as operations see it: a change that a request may ask for does not compile without who asks for it. */
export interface RequestCatalog extends Omit<Catalog, "write"> {
  write<C extends Change>(change: C & Attributed<C["type"]>): Promise<ChangeResult<C>>;
}

type Attributed<Type extends Change["type"]> = "by" extends keyof Extract<Change, { readonly type: Type }>
  ? { readonly by: Requester }
  : unknown;

/** Whether to look for a reason to refuse a change before it waits for its transaction: a round trip would delay all others. */
export const readsAtOnce = ({ shared }: Pick<Catalog, "shared">): boolean => !shared;
