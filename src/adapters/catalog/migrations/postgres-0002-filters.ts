/** SQLite's 0004. An event enters these indexes when it gets its number. */
export const FILTERS = `
create index events_album on events (album_id, type, seq) where seq is not null;
create index events_type on events (type, seq) where seq is not null;
create index images_content_type on images (content_type, album_id, id);
`;
