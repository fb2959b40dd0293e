import { expect, test } from "bun:test";
import { createSharedAnswers } from "../../src/operations/shared-answers.ts";

/** Questions that are answered when the test says so. */
function createOracle() {
  const asked: PromiseWithResolvers<string>[] = [];
  return {
    asked,
    ask: () => {
      const answer = Promise.withResolvers<string>();
      asked.push(answer);
      return answer.promise;
    },
  };
}

test("who asks while an answer is under way shares the next with all others", async () => {
  const { share } = createSharedAnswers();
  const { asked, ask } = createOracle();
  const first = share("same", ask);
  const later = [share("same", ask), share("same", ask), share("same", ask)];
  const other = share("other", ask);
  expect(asked).toHaveLength(2);
  asked[1]?.resolve("of the other");
  expect(await other).toBe("of the other");

  asked[0]?.resolve("old");
  expect(await first).toBe("old");
  expect(asked).toHaveLength(3);
  const latest = share("same", ask);
  asked[2]?.resolve("new");
  expect(await Promise.all(later)).toEqual(["new", "new", "new"]);
  expect(asked).toHaveLength(4);
  asked[3]?.resolve("newest");
  expect(await latest).toBe("newest");
});

test("a failure is of those who shared it, and the next asks again", async () => {
  const { share } = createSharedAnswers();
  const { asked, ask } = createOracle();
  const first = share("same", ask).catch(String);
  const next = [share("same", ask).catch(String), share("same", ask).catch(String)];
  asked[0]?.reject(new Error("one"));
  expect(await first).toBe("Error: one");
  asked[1]?.reject(new Error("two"));
  expect(await Promise.all(next)).toEqual(["Error: two", "Error: two"]);
  const last = share("same", ask);
  asked[2]?.resolve("well");
  expect(await last).toBe("well");
});
