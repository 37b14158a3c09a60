// Asks the model of this folder which language texts are in: node ask.mjs "a text" …
const server = process.env.SCONCE_URL || "http://127.0.0.1:8080";

/** The codes of a text's letters, as export.py has them. */
const encode = (text) => Array.from(text, (letter) => Math.min(letter.codePointAt(0), 511));

for (const text of process.argv.slice(2)) {
  const codes = encode(text);
  const response = await fetch(`${server}/v2/models/languages/infer`, {
    method: "POST",
    body: JSON.stringify({
      inputs: [{ name: "text", datatype: "INT64", shape: [1, codes.length], data: codes }],
      outputs: [{ name: "language", parameters: { classification: 1 } }],
    }),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  console.log(`${text}: ${answer.outputs[0].data[0].split(":").at(-1)}`);
}
