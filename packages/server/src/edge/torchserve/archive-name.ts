import { failing, modelNotFound } from "./torchserve-failure.ts";

/** A file of the models folder: a bare name, so that no request fetches anything or leaves the folder. */
const ARCHIVE = /^([A-Za-z0-9][A-Za-z0-9._-]{0,127}?)(?:\.mar)?$/;

/** The model that `url` of a registration means. Throws in TorchServe's words. */
export function archiveName(url: string | undefined): string {
  if (url === undefined)
    throw failing({ code: 400, type: "BadRequestException", message: "Parameter url is required." });
  if (url === "") throw modelNotFound("empty url");
  if (/(?:^|[/\\])\.\.(?:[/\\]|$)/.test(url))
    throw modelNotFound(`Relative path is not allowed in url: ${url.slice(0, 200)}`);
  const [, name] = ARCHIVE.exec(url) ?? [];
  if (name !== undefined) return name;
  const message =
    "url: only the name of a file in the models folder is taken, such as resnet.mar; nothing is fetched";
  throw failing({ code: 400, type: "BadRequestException", message });
}
