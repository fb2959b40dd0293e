const MAX_BYTES = 256 * 1024;

export interface FetchOptions {
  readonly signal: AbortSignal;
  /** Milliseconds until the last byte. */
  readonly timeout: number;
}

/**
 * A JSON document of limited size, in limited time, from exactly this URL.
 * @throws Error that names the URL and what is wrong with the answer
 */
export async function fetchJson(url: string, { signal, timeout }: FetchOptions): Promise<unknown> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(timeout)]);
  try {
    const response = await fetch(url, {
      headers: { Accept: "application/json" },
      // A redirect could lead to a host that is not the issuer's, or to plain http.
      redirect: "manual",
      signal: limited,
    });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new Error(`status ${response.status} instead of 200`);
    }
    return JSON.parse(await readText(response));
  } catch (cause) {
    const reason = limited.aborted && !signal.aborted ? `no answer within ${timeout} ms` : (cause as Error).message;
    throw new Error(`GET ${url}: ${reason}`, { cause });
  }
}

/** Counted as it comes, after decompression. */
async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > MAX_BYTES) throw new Error(`more than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
