// Asks how odd two wines are: the first of scikit-learn's list, and the same with ten times its alcohol.
const server = process.env.SCONCE_URL || "http://127.0.0.1:8080";
const wine = [14.23, 1.71, 2.43, 15.6, 127, 2.8, 3.06, 0.28, 2.29, 5.64, 1.04, 3.92, 1065];
const strong = wine.map((value, i) => (i === 0 ? 10 * value : value));

const response = await fetch(`${server}/v2/models/odd-wines/infer`, {
  method: "POST",
  body: JSON.stringify({
    inputs: [{ name: "wine", datatype: "FP32", shape: [2, 13], data: [wine, strong] }],
    outputs: [{ name: "oddness" }],
  }),
});
const answer = await response.json();
if (!response.ok) throw new Error(answer.error);
const [usual, odd] = answer.outputs[0].data;
console.log(
  usual < odd
    ? "a wine of the list is less odd than one with ten times its alcohol"
    : `expected ${usual} to be less than ${odd}`,
);
