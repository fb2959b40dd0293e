/** What a store of bytes knows of the store of albums and images that it belongs to. */
export interface OwnedBlobs {
  /** The id of that store, kept with the bytes; undefined where none has claimed them. */
  owner(): Promise<string | undefined>;
  /**
   * Marks the bytes as that store's, unless they are marked already. Durable when it resolves; returns the owner, which of
   * several stores that claim at once is the same for all.
   */
  claim(storeId: string): Promise<string>;
}
