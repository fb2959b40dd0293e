/** In milliseconds. */
const END_TIMEOUT = 1000;

/** A server that does not answer must not keep a node from stopping: it finds out by itself that nobody is there. */
export async function endInTime(ending: Promise<unknown>): Promise<void> {
  const timeout = Promise.withResolvers<void>();
  const timer = setTimeout(timeout.resolve, END_TIMEOUT);
  try {
    await Promise.race([ending, timeout.promise]);
  } finally {
    clearTimeout(timer);
  }
}
