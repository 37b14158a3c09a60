/** The version that `--version`, server metadata and the log show; a test holds it to package.json. */
export const VERSION = "0.1.0";
