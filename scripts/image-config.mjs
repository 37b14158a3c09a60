// What a container does when it starts: the same for `npm run image` and for `Dockerfile`, which a test compares.

/** The `config` of the image (image-spec 1.1, config.md). */
export const IMAGE_CONFIG = {
  User: "65532:65532",
  ExposedPorts: { "8080/tcp": {} },
  Env: [
    "PATH=/usr/local/bin",
    "NODE_ENV=production",
    // Its own address is not what clients use; who may reach it is for the operator to say.
    "SCONCE_HOST=0.0.0.0",
    "SCONCE_TRANSLATION_CACHE=off",
  ],
  // The flags of bin/sconce.js: there is no `env` to read them from its first line.
  Entrypoint: [
    "node",
    "--max-semi-space-size=4",
    "--heap-growing-percent=80",
    "/app/packages/server/bin/sconce.js",
  ],
  Cmd: ["serve", "/models"],
  WorkingDir: "/home/sconce",
  StopSignal: "SIGTERM",
};
