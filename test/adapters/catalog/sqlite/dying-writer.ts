/** Opens like a writer, and dies of its first batch. */
globalThis.addEventListener("message", (event: MessageEvent<string>) => {
  if (event.data.startsWith('{"run"')) throw new Error("out of memory");
  postMessage("{}");
});
