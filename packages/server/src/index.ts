export { ServeError } from "./base/errors.ts";
