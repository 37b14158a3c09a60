// Asks the pipeline for both facts of one image of a seven, and shows that each step is timed.
const server = process.env.SCONCE_URL || "http://127.0.0.1:8080";
const seven = [
  [0, 0, 7, 8, 13, 16, 15, 1],
  [0, 0, 7, 7, 4, 11, 12, 0],
  [0, 0, 0, 0, 8, 13, 1, 0],
  [0, 4, 8, 8, 15, 15, 6, 0],
  [0, 2, 11, 15, 15, 4, 0, 0],
  [0, 0, 0, 16, 5, 0, 0, 0],
  [0, 0, 9, 15, 1, 0, 0, 0],
  [0, 0, 13, 5, 0, 0, 0, 0],
];

const response = await fetch(`${server}/v2/models/digit-facts/infer`, {
  method: "POST",
  body: JSON.stringify({
    inputs: [
      { name: "image", datatype: "FP32", shape: [1, 64], data: seven.flat().map((gray) => gray / 16) },
    ],
  }),
});
const answer = await response.json();
if (!response.ok) throw new Error(answer.error);
const best = (name) => {
  const { data } = answer.outputs.find((output) => output.name === name);
  return data.indexOf(Math.max(...data));
};
const steps = [...response.headers.get("server-timing").matchAll(/step-([a-z-]+);/g)].map(([, step]) => step);
console.log(`it is a ${best("digit")}, which is ${best("odd") === 1 ? "odd" : "even"}`);
console.log(`steps: ${steps.toSorted().join(", ")}`);
