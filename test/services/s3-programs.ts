import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { CACHE, cachedFolder } from "./cached-folder.ts";
import { classpathOf, javaCommand, type MavenJars, missingForJars } from "./maven-jars.ts";
import { run } from "./run.ts";

/** What a server of S3 is told on its start. */
export interface S3Settings {
  readonly port: number;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** For all that it writes. */
  readonly folder: string;
}

/** A program that speaks S3 over a folder. */
export interface S3Program {
  /** What it needs and this machine lacks; undefined when all is there. */
  missing(): string | undefined;
  /** @returns the command that runs it, after it has fetched the program and written its configuration */
  prepare(settings: S3Settings): Promise<string[]>;
}

const S3PROXY_JARS: MavenJars = {
  folder: join(CACHE, "s3proxy/4.1.0"),
  dependencies: [
    "org.gaul:s3proxy:4.1.0",
    // Jackson 3 needs these; without a word Maven takes the older ones that a nearer dependency asks for.
    "com.fasterxml.jackson.core:jackson-annotations:2.22",
  ],
};

const LOGBACK = `<configuration>
  <appender name="stdout" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%date %level %logger %msg%n</pattern></encoder>
  </appender>
  <root level="warn"><appender-ref ref="stdout"/></root>
</configuration>
`;

const s3proxy: S3Program = {
  missing: () => missingForJars(S3PROXY_JARS),
  async prepare({ port, accessKeyId, secretAccessKey, folder }) {
    const data = join(folder, "data");
    await mkdir(data, { recursive: true });
    const logging = join(folder, "logback.xml");
    await Bun.write(logging, LOGBACK);
    const configuration = join(folder, "s3proxy.properties");
    const properties = {
      "s3proxy.endpoint": `http://127.0.0.1:${port}`,
      "s3proxy.authorization": "aws-v2-or-v4",
      "s3proxy.identity": accessKeyId,
      "s3proxy.credential": secretAccessKey,
      "jclouds.provider": "filesystem-nio2",
      "jclouds.filesystem.basedir": data,
    };
    const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}`);
    await Bun.write(configuration, lines.join("\n"));
    const classpath = await classpathOf(S3PROXY_JARS);
    // It holds in memory what is signed as a whole, up to 128 MiB a request.
    return javaCommand(classpath, "org.gaul.s3proxy.Main", ["--properties", configuration], {
      heap: "768m",
      flags: [`-Dlogback.configurationFile=${logging}`],
    });
  },
};

const VERSITYGW_VERSION = "v1.8.0";
const VERSITYGW_FOLDER = join(CACHE, "versitygw", VERSITYGW_VERSION);

const versitygw: S3Program = {
  missing: () => (existsSync(VERSITYGW_FOLDER) || Bun.which("go") !== null ? undefined : "Go"),
  async prepare({ port, region, accessKeyId, secretAccessKey, folder }) {
    // It takes more than a minute to build.
    await cachedFolder(VERSITYGW_FOLDER, async (empty) => {
      const module = `github.com/versity/versitygw/cmd/versitygw@${VERSITYGW_VERSION}`;
      await run(["go", "install", "-ldflags=-s -w", module], { env: { GOBIN: empty } });
    });
    // Metadata apart from the files, since not every file system for temporary files has extended attributes.
    const data = join(folder, "data");
    const metadata = join(folder, "metadata");
    await Promise.all([data, metadata].map((path) => mkdir(path, { recursive: true })));
    const credentials = ["--access", accessKeyId, "--secret", secretAccessKey];
    const listener = ["--port", `127.0.0.1:${port}`, "--region", region, "--keep-alive", "--quiet"];
    const program = join(VERSITYGW_FOLDER, "versitygw");
    return [program, ...credentials, ...listener, "posix", "--sidecar", metadata, data];
  },
};

/** They differ in what they refuse, in their checksums and in how they fail. */
export const S3_PROGRAMS = { s3proxy, versitygw };
