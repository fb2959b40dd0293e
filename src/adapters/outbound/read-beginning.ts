const MAX_BYTES = 64 * 1024;

/**
 * The first 64 KiB of the body at most. A longer one is cut, which closes the connection. What the connection does after the
 * status changes nothing, so this never fails.
 */
export async function readBeginning(response: Response): Promise<Uint8Array> {
  const declared = Number(response.headers.get("content-length") ?? Number.NaN);
  try {
    // Several times faster than a stream.
    if (declared <= MAX_BYTES) return await response.bytes();
    return await readStream(response);
  } catch {
    return new Uint8Array();
  }
}

async function readStream({ body }: Response): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    // Leaving the loop cancels the stream.
    for await (const chunk of body ?? []) {
      chunks.push(chunk);
      size += chunk.byteLength;
      if (size > MAX_BYTES) break;
    }
  } catch {
    // The deadline, or a lost connection: what arrived counts.
  }
  return Buffer.concat(chunks).subarray(0, MAX_BYTES);
}
