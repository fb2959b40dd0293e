import type { Database } from "bun:sqlite";

/**
 * Entries for filters: of the log, each album's and each type's events in their order; of images, those of a content type.
 * An index of SQLite ends with the row's number, which of an event is its `seq`.
 */
const SCHEMA = `
create index events_album on events (album_id, type);
create index events_type on events (type);
create index images_content_type on images (content_type, album_id, id);
`;

export function filters(db: Database): void {
  db.run(SCHEMA);
}
