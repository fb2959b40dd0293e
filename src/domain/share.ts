import type { Right } from "./access.ts";
import type { Caller } from "./caller.ts";
import type { Actor } from "./event.ts";

/** A link by which its holders see one album, as clients see it: all but its secret. */
export interface Share {
  readonly id: string;
  readonly albumId: string;
  /** Whom it is for. Events of what they did name it. */
  readonly label: string | null;
  readonly rights: readonly ShareRight[];
  /** Whether it gives images as they were uploaded, and not in variants only. */
  readonly originals: boolean;
  readonly createdAt: string;
  readonly createdBy: Actor;
  /** null: never. */
  readonly expiresAt: string | null;
  /** How often its secret came with a request. */
  readonly uses: number;
  readonly lastUsedAt: string | null;
}

export const SHARE_RIGHTS = ["read", "write"] as const;
export type ShareRight = (typeof SHARE_RIGHTS)[number];

const DAY_MS = 86_400_000;
export const DEFAULT_SHARE_LIFE_MS = 30 * DAY_MS;

/**
 * The caller with this share's secret. The grant names the album by id, so it follows a rename. `write` only adds images: a
 * link that was passed on must not destroy any.
 */
export const shareCaller = ({ id, label, albumId, rights, originals }: SharedAlbum): Caller => ({
  kind: "share",
  id,
  name: label,
  grants: [
    {
      rights: new Set<Right>(["read"]),
      albums: { ids: [albumId] },
      ...(rights.includes("write") && { mayAdd: true }),
      ...(!originals && { originals: false }),
    },
  ],
});

type SharedAlbum = Pick<Share, "id" | "label" | "albumId" | "rights" | "originals">;
