import { createHash } from "node:crypto";
import { cp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { CACHE, cachedFolder } from "../services/cached-folder.ts";
import { classpathOf, javaCommand, type MavenJars } from "../services/maven-jars.ts";
import { run } from "../services/run.ts";

const NEEDED = { javac: "JDK 17", mvn: "Maven", go: "Go", npm: "npm", python3: "Python 3.10" } as const;

/** Says out loud what is missing; where CI is set it fails instead. */
export function toolsAreMissing(): boolean {
  const missing = Object.entries(NEEDED).filter(([command]) => Bun.which(command) === null);
  if (missing.length === 0) return false;
  const message = `these tests need ${missing.map(([, name]) => name).join(", ")}.`;
  if (process.env["CI"] === "true") throw new Error(message);
  console.warn(`SKIPPED: ${message}`);
  return true;
}

/** Kept under `.cache`, by what pins its contents. */
async function pinnedFolder(name: string, pins: string, fill: (empty: string) => Promise<void>): Promise<string> {
  const digest = createHash("sha256")
    .update(await readFile(pins))
    .digest("hex")
    .slice(0, 16);
  return cachedFolder(join(CACHE, "clients", `${name}-${digest}`), fill);
}

/** The folder with `node_modules` of npm/package-lock.json. */
export const npmFolder = (): Promise<string> =>
  pinnedFolder("npm", join(import.meta.dir, "npm/package-lock.json"), async (empty) => {
    for (const file of ["package.json", "package-lock.json"])
      await cp(join(import.meta.dir, "npm", file), join(empty, file));
    // Some of them ask for a newer Node; what runs them is Bun.
    await run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: empty });
  });

/** For `PYTHONPATH`: the packages of python/requirements.txt. */
export const pythonFolder = (): Promise<string> => {
  const requirements = join(import.meta.dir, "python/requirements.txt");
  return pinnedFolder("python", requirements, async (empty) => {
    const quiet = ["-q", "--disable-pip-version-check", "--no-input"];
    await run(["python3", "-m", "pip", "install", ...quiet, "--target", empty, "-r", requirements]);
  });
};

const jarsOf = (name: string, dependencies: readonly string[]): MavenJars => ({
  folder: join(
    CACHE,
    "clients",
    `${name}-${createHash("sha256").update(dependencies.join()).digest("hex").slice(0, 16)}`,
  ),
  dependencies,
});

const GENERATOR = jarsOf("openapi-generator", ["org.openapitools:openapi-generator-cli:7.25.0"]);

/** What the pom.xml of each generated client asks for. */
export const JAVA_LIBRARIES = {
  native: jarsOf("java-native", [
    "com.fasterxml.jackson.core:jackson-databind:2.21.5",
    "com.fasterxml.jackson.datatype:jackson-datatype-jsr310:2.21.5",
    "org.openapitools:jackson-databind-nullable:0.2.11",
    "com.google.code.findbugs:jsr305:3.0.2",
    "jakarta.annotation:jakarta.annotation-api:1.3.5",
    "org.apache.httpcomponents:httpmime:4.5.14",
  ]),
  "okhttp-gson": jarsOf("java-okhttp-gson", [
    "com.squareup.okhttp3:okhttp:4.12.0",
    "com.squareup.okhttp3:logging-interceptor:4.12.0",
    "com.google.code.gson:gson:2.10.1",
    "io.gsonfire:gson-fire:1.9.0",
    "org.apache.commons:commons-lang3:3.18.0",
    "org.openapitools:jackson-databind-nullable:0.2.11",
    "com.google.code.findbugs:jsr305:3.0.2",
    "jakarta.annotation:jakarta.annotation-api:1.3.5",
    "jakarta.ws.rs:jakarta.ws.rs-api:2.1.6",
  ]),
  restclient: jarsOf("java-restclient", [
    "org.springframework:spring-web:6.2.16",
    "org.springframework:spring-context:6.2.16",
    "com.fasterxml.jackson.jakarta.rs:jackson-jakarta-rs-json-provider:2.21.5",
    "com.fasterxml.jackson.datatype:jackson-datatype-jsr310:2.21.5",
    "org.openapitools:jackson-databind-nullable:0.2.11",
    "jakarta.annotation:jakarta.annotation-api:2.1.1",
  ]),
} as const;
export type JavaLibrary = keyof typeof JAVA_LIBRARIES;

export const openApiGenerator = async (...args: string[]): Promise<string> =>
  run(javaCommand(await classpathOf(GENERATOR), "org.openapitools.codegen.OpenAPIGenerator", args, { heap: "512m" }));

/** A program of {@link npmFolder}, by its file there. Not by npx, which would run it with whatever Node is here. */
export async function runNpmProgram(
  file: string,
  args: readonly string[],
  options: { cwd?: string } = {},
): Promise<string> {
  const env = { REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true", NO_COLOR: "1" };
  return run([process.execPath, join(await npmFolder(), "node_modules", file), ...args], { ...options, env });
}
