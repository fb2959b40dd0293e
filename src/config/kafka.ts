import type { KafkaConfig, KafkaTls } from "../config.ts";
import { SETTINGS, type SettingValues } from "./settings.ts";
import { oneOf, parseBoolean } from "./values.ts";

/**
 * Brokers and topic come from the URL; the rest from the URL or a variable of its own, which goes before it.
 * @throws Error whose message completes "IMAGE_STORE_KAFKA_URL …"
 */
export function readKafkaSettings(values: SettingValues): KafkaConfig | undefined {
  const url = values.KAFKA_URL;
  if (url === undefined) return undefined;
  const { options } = url;
  const username = values.KAFKA_USERNAME ?? url.username;
  const password = values.KAFKA_PASSWORD ?? url.password;
  const mechanism =
    values.KAFKA_SASL_MECHANISM ??
    (options.mechanism && SETTINGS.KAFKA_SASL_MECHANISM.parse(options.mechanism.toUpperCase()));
  if ((username === undefined) !== (password === undefined)) throw new Error("needs a user and a password, or neither");
  if (mechanism && username === undefined) throw new Error("has a SASL mechanism but no user");
  return {
    brokers: url.brokers,
    topic: url.topic,
    tls: kafkaTls(values, options),
    sasl:
      username === undefined || password === undefined
        ? undefined
        : { mechanism: mechanism || "SCRAM-SHA-512", username, password },
    mode: values.KAFKA_MODE ?? oneOf("binary", "structured")(options.mode ?? "binary"),
  };
}

function kafkaTls(
  values: SettingValues,
  options: { tls?: string; ca?: string; cert?: string; key?: string },
): KafkaTls | undefined {
  const files = {
    caFile: values.KAFKA_CA_FILE ?? options.ca,
    certFile: values.KAFKA_CERT_FILE ?? options.cert,
    keyFile: values.KAFKA_KEY_FILE ?? options.key,
  };
  const namesFile = Object.values(files).some((file) => file !== undefined);
  const wanted = values.KAFKA_TLS ?? (options.tls === undefined ? namesFile : parseBoolean(options.tls));
  if (!wanted && namesFile) throw new Error("has TLS off and yet names a certificate file");
  if ((files.certFile === undefined) !== (files.keyFile === undefined))
    throw new Error("needs a client certificate and its key, or neither");
  return wanted ? files : undefined;
}
