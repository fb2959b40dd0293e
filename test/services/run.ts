import type { User } from "./server-process.ts";

/** @returns standard output */
export async function run(
  command: string[],
  options: { cwd?: string; env?: Record<string, string>; user?: User | undefined } = {},
): Promise<string> {
  const { cwd, env, user } = options;
  const child = Bun.spawn(command, {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...process.env, ...env },
    ...user,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [output, errors, exitCode] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (exitCode !== 0) throw new Error(`${command[0]} failed (${exitCode}):\n${output}\n${errors}`);
  return output;
}
