/** One block of a stream of server-sent events. A block without an event is a heartbeat. */
export interface Block {
  readonly id: string | undefined;
  readonly event: string | undefined;
  readonly data: string | undefined;
}

export interface EventStream {
  readonly response: Response;
  /** The next block; undefined at the end. */
  nextBlock(): Promise<Block | undefined>;
  /** The next block that has an event; undefined at the end. */
  next(): Promise<Block | undefined>;
  close(): Promise<void>;
}

/** A client that is not ours would hide what is sent between events. */
export async function openStream(url: string, headers: Readonly<Record<string, string>> = {}): Promise<EventStream> {
  const aborting = new AbortController();
  const response = await fetch(url, { headers, signal: aborting.signal });
  const reader = response.body?.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>).getReader();
  let text = "";

  const nextBlock = async (): Promise<Block | undefined> => {
    for (;;) {
      const end = text.indexOf("\n\n");
      if (end !== -1) {
        const block = text.slice(0, end);
        text = text.slice(end + 2);
        return parseBlock(block);
      }
      const chunk = await reader?.read();
      if (chunk === undefined || chunk.done) return undefined;
      text += chunk.value;
    }
  };

  return {
    response,
    nextBlock,
    async next() {
      for (;;) {
        const block = await nextBlock();
        if (block === undefined || block.event !== undefined) return block;
      }
    },
    async close() {
      aborting.abort();
      await Promise.resolve(reader?.closed).catch(() => undefined);
    },
  };
}

function parseBlock(block: string): Block {
  const fields = new Map<string, string>();
  for (const line of block.split("\n")) {
    const match = /^(id|event|data): (.*)$/.exec(line);
    if (match?.[1] !== undefined) fields.set(match[1], match[2] ?? "");
    else if (!line.startsWith(": ")) throw new Error(`Not a line of an event stream: ${JSON.stringify(line)}`);
  }
  return { id: fields.get("id"), event: fields.get("event"), data: fields.get("data") };
}
