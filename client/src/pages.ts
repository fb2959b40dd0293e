interface Page<Item> {
  readonly items: readonly Item[];
  readonly nextPageToken?: string | null | undefined;
}

/** All items of a listing that `send` reads, page after page: `pages((query) => store.send("GET", "/v1/keys", { query }))`. */
export async function* pages<Item>(
  read: (pageToken: { readonly pageToken?: string }) => Promise<Page<Item>>,
): AsyncGenerator<Item, void> {
  let token: string | null | undefined;
  do {
    const page: Page<Item> = await read(token == null ? {} : { pageToken: token });
    yield* page.items;
    token = page.nextPageToken;
  } while (token != null);
}
