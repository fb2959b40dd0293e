import { expect, test } from "bun:test";
import fc from "fast-check";
import { createRouter } from "../../src/http/router.ts";

const TEMPLATES = ["/", "/a", "/a/{id}", "/a/b", "/a/{id}/c", "/a/b/{x}/{y}", "/{any}", "/{any}/b/c"];
const findTemplate = createRouter(TEMPLATES.map((template) => [template, template]));
const find = (path: string) => findTemplate(path.split("/"));

test.each([
  ["/", "/"],
  ["/a", "/a"],
  ["/a/b", "/a/b"],
  ["/a/z", "/a/{id}"],
  ["/a/%62", "/a/{id}"],
  ["/a/", "/a/{id}"],
  ["/a/b/c", "/a/{id}/c"],
  ["/a/b/c/d", "/a/b/{x}/{y}"],
  ["/z/b/c", "/{any}/b/c"],
  ["/z", "/{any}"],
])("the path %s has the template %s", (path, template) => {
  expect(find(path)).toBe(template);
});

test.each(["", "//", "/a/b/", "/a/z/d", "/z/b", "a", "/__proto__/constructor"])(
  "the path %j has no template",
  (path) => {
    expect(find(path)).toBeUndefined();
  },
);

test("a path has a template if and only if one fits each of its segments", () => {
  const segment = fc.constantFrom("", "a", "b", "c", "z", "{id}", "%61");
  fc.assert(
    fc.property(fc.array(segment, { maxLength: 6 }), (segments) => {
      const fits = TEMPLATES.some((template) => {
        const wanted = template.split("/");
        return (
          wanted.length === segments.length &&
          wanted.every((each, index) => each.startsWith("{") || each === segments[index])
        );
      });
      expect(findTemplate(segments) !== undefined).toBe(fits);
    }),
  );
});
