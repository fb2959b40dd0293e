import { spyOn } from "bun:test";

/** A child that does only what the test says. */
interface FakeChild {
  readonly ipc: (answer: object) => void;
  readonly onExit: () => void;
  readonly sent: readonly object[];
}

/** Until it is disposed of, starts no processes: `started` has a fake child for each. */
export function fakeChildren(): Disposable & { readonly started: readonly FakeChild[] } {
  const started: FakeChild[] = [];
  const spawn = spyOn(Bun, "spawn").mockImplementation(((
    _command: unknown,
    options: Pick<FakeChild, "ipc" | "onExit">,
  ) => {
    const sent: object[] = [];
    started.push({ ...options, sent });
    return { pid: 0, send: (job: object) => sent.push(job), kill: () => {}, exited: Promise.resolve() };
  }) as never);
  return { started, [Symbol.dispose]: () => spawn.mockRestore() };
}
