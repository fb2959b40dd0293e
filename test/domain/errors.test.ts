import { expect, test } from "bun:test";
import { deserializeError, StoreError, serializeError } from "../../src/domain/errors.ts";
import { describeError, summarizeError } from "../../src/observe/errors.ts";

const roundTrip = (error: StoreError): StoreError =>
  deserializeError(JSON.parse(JSON.stringify(serializeError(error))) as ReturnType<typeof serializeError>);

test("an error from another thread keeps its cause's name, message, code and stack apart", () => {
  const cause = Object.assign(new RangeError("disk I/O error"), { code: "SQLITE_IOERR_WRITE" });
  const error = new StoreError("unavailable", "The catalog does not respond.", { cause });
  const received = roundTrip(error);
  expect(received).toBeInstanceOf(StoreError);
  expect(received.cause).toBeInstanceOf(Error);
  expect(summarizeError(received)).toBe("The catalog does not respond. (disk I/O error)");
  expect(describeError(received)).toMatchObject({
    cause: { type: "RangeError", message: "disk I/O error", code: "SQLITE_IOERR_WRITE", stack: cause.stack },
  });
});

test("an error from another thread keeps a cause that is text, and the rest", () => {
  const errors = [{ name: "a", detail: "There is an image of that name in the album already." }];
  const error = new StoreError("image_exists", "It exists.", { cause: "text", errors, members: { left: 1 } });
  expect(roundTrip(error)).toMatchObject({ code: "image_exists", message: "It exists.", cause: "text", errors });
  expect(roundTrip(error).members).toEqual({ left: 1 });
  expect("cause" in roundTrip(new StoreError("busy", "Try again."))).toBe(false);
});
