import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readMultipart, readUrlEncoded } from "./form-fields.ts";

const TYPE = "multipart/form-data; boundary=edge";

function form(...parts: readonly (readonly [head: string, content: string | Uint8Array])[]): Buffer {
  const pieces = parts.flatMap(([head, content]) => [`--edge\r\n${head}\r\n\r\n`, content, "\r\n"]);
  return Buffer.concat([...pieces, "--edge--\r\n"].map((piece) => Buffer.from(piece as string)));
}

const shown = (body: Buffer, type = TYPE): unknown[] =>
  readMultipart(body, type).map(({ name, type, bytes }) => [name, type, bytes.toString("latin1")]);

test("fields of a form come with their names, and files with their types", () => {
  const body = form(
    ['Content-Disposition: form-data; name="a"', "1"],
    [
      'content-disposition: form-data; name="f"; filename="x.PNG"\r\nContent-Type: Image/PNG; q=1',
      "\x00\r\n--edg",
    ],
    ["Content-Disposition: form-data; name=plain", ""],
    ['Content-Disposition: form-data; name="a \\"quoted\\" name"', "--edge"],
  );
  const expected = [
    ["a", "", "1"],
    ["f", "image/png", "\x00\r\n--edg"],
    ["plain", "", ""],
    ['a "quoted" name', "", "--edge"],
  ];
  assert.deepEqual(shown(body), expected);
  assert.deepEqual(shown(body, 'multipart/form-data; boundary="edge"; charset=utf-8'), expected);
});

test("whatever bytes a field holds, they come back, unless they hold the boundary", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { minLength: 1, maxLength: 5 }), (contents) => {
      const body = form(
        ...contents.map(
          (content, index) => [`Content-Disposition: form-data; name="n${index}"`, content] as const,
        ),
      );
      const fields = readMultipart(body, TYPE);
      assert.deepEqual(
        fields.map(({ bytes }) => new Uint8Array(bytes)),
        contents,
      );
    }),
  );
});

test("a form that is cut off or damaged is refused, wherever", () => {
  const body = form(
    ['Content-Disposition: form-data; name="a"', "12345"],
    ['Content-Disposition: form-data; name="b"', "6"],
  );
  for (let length = 0; length < body.length - 4; length++)
    assert.throws(
      () => readMultipart(body.subarray(0, length), TYPE),
      /the form cannot be read/,
      `${length} bytes`,
    );
  fc.assert(
    fc.property(fc.nat(body.length - 1), fc.nat(255), (at, byte) => {
      const damaged = Buffer.from(body);
      damaged[at] = byte;
      try {
        readMultipart(damaged, TYPE);
      } catch (error) {
        assert.match(String(error), /the form cannot be read/);
      }
    }),
  );
});

test("forms have limits, and need a boundary and names", () => {
  const field = ["Content-Disposition: form-data; name=a", ""] as const;
  assert.equal(readMultipart(form(...new Array(1000).fill(field)), TYPE).length, 1000);
  assert.throws(() => readMultipart(form(...new Array(1001).fill(field)), TYPE), /more than 1000 fields/);
  assert.throws(() => readMultipart(form(field), "multipart/form-data"), /no boundary/);
  assert.throws(() => readMultipart(form(["Content-Disposition: form-data", ""]), TYPE), /no name/);
  assert.throws(() => readMultipart(form([`X: ${"x".repeat(9000)}`, ""]), TYPE), /head does not end/);
  assert.throws(() => readUrlEncoded("a=1&".repeat(1001)), /more than 1000 fields/);
});

test("names and values of a query", () => {
  const fields = readUrlEncoded("a=1&b=%C3%A9+x&a=2");
  assert.deepEqual(
    fields.map(({ name, bytes }) => [name, bytes.toString()]),
    [
      ["a", "1"],
      ["b", "é x"],
      ["a", "2"],
    ],
  );
});
