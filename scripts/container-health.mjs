// HEALTHCHECK of the image: whether the server in this container answers, over TLS or not. Exit code 0: it does.
const port = process.env.SCONCE_PORT ?? "8080";
// A certificate is for the name that clients use; here only life is asked for.
process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
process.emitWarning = () => {};

async function isLive(scheme) {
  const response = await fetch(`${scheme}://127.0.0.1:${port}/v2/health/live`, {
    signal: AbortSignal.timeout(4_000),
  });
  return response.ok;
}

process.exitCode = (await isLive("http")
  .catch(() => isLive("https"))
  .catch(() => false))
  ? 0
  : 1;
