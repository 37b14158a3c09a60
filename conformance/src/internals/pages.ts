/** What pages are checked against that show a command line or a file without running it. */
export { parseArguments } from "../../../packages/server/dist/cli/arguments.js";
export { COMMANDS } from "../../../packages/server/dist/cli/main.js";
export { loadConfig, loadModelConfig } from "../../../packages/server/dist/config/load-config.js";
export { PIPELINE_KEY, readPipeline } from "../../../packages/server/dist/config/pipeline-settings.js";
export { resolveOptions } from "../../../packages/server/dist/config/resolve-options.js";
export { readYaml } from "../../../packages/server/dist/config/yaml-file.js";
