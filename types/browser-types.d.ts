// The types of onnxruntime-common mention these types of browsers, for functions that do not exist on Node.
type HTMLImageElement = never;
type ImageBitmap = never;
type ImageData = never;
type WebGLRenderingContext = never;
type WebGLTexture = never;
// Those of @connectrpc/connect mention this one.
type HeadersInit = Headers | Record<string, string> | [string, string][];
// Those of playwright-core mention these: what a page's own code handles, never a test.
type HTMLElement = never;
type SVGElement = never;
type Node = never;
type HTMLElementTagNameMap = Record<never, never>;
