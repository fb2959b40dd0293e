/** What a key may do. Each route names the one that it needs. */
export const RIGHTS = ["read", "write", "transform", "admin"] as const;
export type Right = (typeof RIGHTS)[number];

export interface ApiKey {
  /** The principal. */
  readonly name: string;
  readonly rights: ReadonlySet<Right>;
  /** Of the key, in lower-case hex. The key itself is kept nowhere. */
  readonly sha256: string;
}
