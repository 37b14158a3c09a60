// The yardstick: a Fastify route that parses the same body and answers a constant of the same size, and nothing else.
import fastify from "fastify";

const answer = { prediction: Array.from({ length: 10 }, () => 0.123456789) };
const app = fastify();
app.post("/predict/digits", async () => answer);
await app.listen({ host: "127.0.0.1", port: 0 });
console.log(app.listeningOrigin);
process.on("SIGTERM", () => void app.close());
