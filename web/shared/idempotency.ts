/**
 * Gives the `Idempotency-Key` of a form's request: the same for the same body, so that a request that is sent again, since its
 * response was lost, makes nothing twice.
 */
export function createIdempotency(): (body: unknown) => { readonly "Idempotency-Key": string } {
  let last: { readonly text: string; readonly key: string } | undefined;
  return (body) => {
    const text = JSON.stringify(body);
    if (last?.text !== text) last = { text, key: crypto.randomUUID() };
    return { "Idempotency-Key": last.key };
  };
}
