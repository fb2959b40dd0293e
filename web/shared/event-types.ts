import type { EventType } from "../../client/src/index.ts";

type KindOf<Type> = Type extends `imagestore.${infer Name}.${string}` ? Name : never;
export type EventKind = KindOf<EventType>;

/** Every type of event, by what it is about. */
export const TYPES_OF_KIND: {
  readonly [Name in EventKind]: readonly Extract<EventType, `imagestore.${Name}.${string}`>[];
} = {
  album: ["imagestore.album.created", "imagestore.album.updated", "imagestore.album.deleted"],
  image: ["imagestore.image.created", "imagestore.image.updated", "imagestore.image.deleted"],
  share: ["imagestore.share.created", "imagestore.share.revoked"],
  key: ["imagestore.key.created", "imagestore.key.updated", "imagestore.key.revoked"],
  ticket: ["imagestore.ticket.created", "imagestore.ticket.revoked"],
  quota: ["imagestore.quota.updated"],
  cursor: ["imagestore.cursor.rewound"],
  webhook: [
    "imagestore.webhook.created",
    "imagestore.webhook.updated",
    "imagestore.webhook.deleted",
    "imagestore.webhook.disabled",
    "imagestore.webhook.replayed",
  ],
};

export const EVENT_KINDS = Object.keys(TYPES_OF_KIND) as readonly EventKind[];
