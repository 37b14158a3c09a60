import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { listenOn, type RestListener } from "../v1.kit.ts";

let rest: RestListener;
before(async () => {
  rest = await listenOn();
});
after(() => rest.close());

const PREDICTIONS: readonly (readonly [what: string, model: string, body: string, answer: unknown])[] = [
  [
    "rows of the only input",
    "one",
    '{"instances":[[1,2],[3,4]]}',
    {
      predictions: [
        [1, 2],
        [3, 4],
      ],
    },
  ],
  [
    "rows by name",
    "one",
    '{"instances": [ {"x":[1,2]}, {"x":[3,4]}]}',
    {
      predictions: [
        [1, 2],
        [3, 4],
      ],
    },
  ],
  [
    "the signature's name",
    "one",
    '{"signature_name":"serving_default","instances":[[1,2]]}',
    { predictions: [[1, 2]] },
  ],
  [
    "rows of several inputs",
    "pair",
    '{"instances":[{"x":[1,2],"t":"a"},{"t":"längst","x":[3,4]}]}',
    {
      predictions: [
        { x: [1, 2], t: "a" },
        { x: [3, 4], t: "längst" },
      ],
    },
  ],
  [
    "a client that writes null for what it leaves out",
    "one",
    '{"signature_name":null,"inputs": null ,"instances":[[1,2]]}',
    { predictions: [[1, 2]] },
  ],
  ["the same in columns", "one", '{"instances":null,"inputs":[[1,2]]}', { outputs: [[1, 2]] }],
  ["columns of the only input", "one", '{"inputs":[[1,2]]}', { outputs: [[1, 2]] }],
  ["columns by name", "one", '{"inputs":{"x":[[1,2]]}}', { outputs: [[1, 2]] }],
  [
    "columns of several inputs",
    "pair/versions/1",
    '{"inputs":{"x":[[1,2]],"t":["a"]}}',
    { outputs: { x: [[1, 2]], t: ["a"] } },
  ],
];
for (const [what, model, body, answer] of PREDICTIONS) {
  test(what, async () => {
    const got = await rest.post(`/v1/models/${model}:predict`, body);
    assert.equal(got.status, 200, got.body);
    assert.deepEqual(JSON.parse(got.body), answer);
  });
}

for (const [what, model, body, expected] of [
  ["neither rows nor columns", "one", "{}", /expected either "instances" or "inputs"/],
  ["both", "one", '{"instances":[[1,2]],"inputs":[[1,2]]}', /expected either/],
  ["rows that are no list", "one", '{"instances":1}', /^instances: expected a list/],
  ["a row without its dimension", "one", '{"instances":[1,2]}', /^instances: expected FP32/],
  ["rows without names for several inputs", "pair", '{"instances":[[1,2]]}', /give each row as an object/],
  ["a row without an input", "pair", '{"instances":[{"x":[1,2]}]}', /^instances\[0\]\.t: missing/],
  [
    "a row with an unknown input",
    "one",
    '{"instances":[{"x":[1,2],"y":1}]}',
    /^instances\[0\]\.y: the model has no/,
  ],
  [
    "a row of another kind",
    "one",
    '{"instances":[{"x":[1,2]},[1,2]]}',
    /^instances\[1\]: expected an object/,
  ],
  [
    "rows of different shapes",
    "one",
    '{"instances":[{"x":[1,2]},{"x":[1]}]}',
    /^instances\[1\]\.x: its shape is/,
  ],
  [
    "another signature",
    "one",
    '{"signature_name":"other","instances":[[1,2]]}',
    /^signature_name: a model has one/,
  ],
  ["columns with an unknown input", "one", '{"inputs":{"y":1}}', /^inputs\.y: the model has no such input/],
] as const)
  test(`${what} is a 400`, async () => {
    const { status, body: text } = await rest.post(`/v1/models/${model}:predict`, body);
    assert.equal(status, 400, text);
    assert.match((JSON.parse(text) as { error: string }).error, expected);
  });

test("other verbs and models are not found", async () => {
  for (const path of [
    "one:classify",
    "one",
    "one:",
    "none:predict",
    "one/versions/2:predict",
    "one/versions/1",
  ])
    assert.equal((await rest.post(`/v1/models/${path}`, "{}")).status, 404, path);
});

const get = async (path: string): Promise<{ status: number; text: string }> => {
  const answer = await fetch(rest.url + path);
  return { status: answer.status, text: await answer.text() };
};

test("status, names and metadata", async () => {
  assert.deepEqual(JSON.parse((await get("/v1/models")).text), { models: ["one", "pair"] });
  assert.deepEqual(JSON.parse((await get("/v1/models/one")).text), {
    name: "one",
    ready: true,
    model_version_status: [
      { version: "1", state: "AVAILABLE", status: { error_code: "OK", error_message: "" } },
    ],
  });
  assert.equal((await get("/v1/models/none")).status, 404);
  const { metadata } = JSON.parse((await get("/v1/models/one/versions/1/metadata")).text) as {
    metadata: { signature_def: { signature_def: { serving_default: { inputs: unknown } } } };
  };
  assert.deepEqual(metadata.signature_def.signature_def.serving_default.inputs, {
    x: {
      dtype: "DT_FLOAT",
      tensor_shape: {
        dim: [
          { size: "-1", name: "" },
          { size: "2", name: "" },
        ],
        unknown_rank: false,
      },
      name: "x",
    },
  });
});

test("health under the names that others have for it, and ?pretty", async () => {
  for (const path of ["/ping", "/readyz"])
    assert.deepEqual(JSON.parse((await get(path)).text), { live: true, ready: true });
  for (const path of ["/livez", "/healthz"])
    assert.deepEqual(JSON.parse((await get(path)).text), { live: true });
  assert.equal((await get("/v2/health/live?pretty")).text, '{\n  "live": true\n}');
  for (const query of ["?pretty=false", "?prettyx", "?x=pretty", "?"])
    assert.equal((await get(`/v2/health/live${query}`)).text, '{"live":true}', query);
});
