/** CRC-32 of the bytes, for ZIP archives; null until it is computed. */
export const CHECKSUMS = "alter table blobs add column crc32 bigint";
