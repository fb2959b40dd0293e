import { freePort } from "../load.ts";

const IMGPROXY = Bun.which("imgproxy") ?? undefined;

/** For the table. docs/performance.md says how to build it. */
export const MISSING = "it is not installed";

export interface Imgproxy extends AsyncDisposable {
  readonly pid: number;
  /** The URL of a rendering of a file in the folder, as wide as that. */
  url(file: string, width: number, format: string, quality: number | undefined): string;
}

/** imgproxy that renders the files of a folder, with its defaults. Undefined where it is not installed. */
export async function startImgproxy(folder: string): Promise<Imgproxy | undefined> {
  if (IMGPROXY === undefined) return undefined;
  const port = await freePort();
  const server = Bun.spawn([IMGPROXY], {
    env: {
      ...process.env,
      IMGPROXY_BIND: `127.0.0.1:${port}`,
      IMGPROXY_LOCAL_FILESYSTEM_ROOT: folder,
      IMGPROXY_LOG_LEVEL: "error",
      // As its own container has it.
      MALLOC_ARENA_MAX: "2",
    },
    stdout: "ignore",
    stderr: "inherit",
  });
  const base = `http://127.0.0.1:${port}`;
  for (let attempt = 0; attempt < 500 && !(await answers(`${base}/health`)); attempt++) await Bun.sleep(20);
  return {
    pid: server.pid,
    url: (file, width, format, quality) =>
      `${base}/unsafe/rs:fit:${width}:0${quality === undefined ? "" : `/q:${quality}`}/plain/local:///${file}@${format === "jpeg" ? "jpg" : format}`,
    async [Symbol.asyncDispose]() {
      server.kill();
      await server.exited;
    },
  };
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}
