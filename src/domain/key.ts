import type { Actor } from "./event.ts";
import type { GrantRecord } from "./grant.ts";

/** An API key as clients see it: all but its secret. */
export interface Key {
  readonly id: string;
  readonly name: string;
  readonly grants: readonly GrantRecord[];
  readonly revision: number;
  readonly createdAt: string;
  readonly createdBy: Actor;
  readonly expiresAt: string | null;
  /** To the hour. */
  readonly lastUsedAt: string | null;
  readonly revokedAt: string | null;
}

/** Absent fields stay as they are. */
export interface KeyPatch {
  readonly name?: string;
  readonly grants?: readonly GrantRecord[];
  /** Milliseconds since 1970; null: never. */
  readonly expiresAt?: number | null;
}
