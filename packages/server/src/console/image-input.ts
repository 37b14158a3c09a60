import { button, element } from "./element.ts";
import type { InputField } from "./input-field.ts";
import type { TensorPort } from "./server-api.ts";
import type { TensorValue } from "./tensor-values.ts";

/** How pixels lie in a tensor. */
export interface ImageLayout {
  readonly height: number;
  readonly width: number;
  readonly channels: 1 | 3;
  readonly isChannelsLast: boolean;
}

/** Where a request chooses the size: what most networks were trained with. */
const USUAL_SIZE = 224;
const SMALLEST = 4;

/** The picture that an input looks like; undefined: it looks like none. */
export function imageLayout({ shape, datatype }: TensorPort): ImageLayout | undefined {
  if (!/^(FP|UINT8|BF)/.test(datatype) || shape.length < 3 || shape.length > 4) return undefined;
  const [first, second, third] = shape.slice(-3) as [number, number, number];
  if (shape.length === 4 && Math.abs(shape[0]!) !== 1) return undefined;
  const sized = (size: number): number => (size < 0 ? USUAL_SIZE : size);
  const isSide = (size: number): boolean => size < 0 || size >= SMALLEST;
  if ((first === 1 || first === 3) && isSide(second) && isSide(third))
    return { channels: first, height: sized(second), width: sized(third), isChannelsLast: false };
  if ((third === 1 || third === 3) && isSide(first) && isSide(second))
    return { channels: third, height: sized(first), width: sized(second), isChannelsLast: true };
  return undefined;
}

/** What becomes of a pixel, 0 to 1. */
const SCALES: Readonly<Record<string, (value: number, channel: number) => number>> = {
  "0 to 1": (value) => value,
  "0 to 255": (value) => value * 255,
  "−1 to 1": (value) => value * 2 - 1,
  "ImageNet's mean and deviation": (value, channel) => (value - MEANS[channel]!) / DEVIATIONS[channel]!,
};
const MEANS: readonly number[] = [0.485, 0.456, 0.406];
const DEVIATIONS: readonly number[] = [0.229, 0.224, 0.225];

const PAD = 280;
/** A stroke as wide as handwriting is in pictures of this size: in their pixels. */
const STROKE = 1.3;
const FINE_STROKE = 2;
const COARSE = 16;

/** A pad to draw on, and to drop pictures on; beside it what the model is going to see. */
export function imageInput(port: TensorPort, layout: ImageLayout, changed: () => void): InputField {
  const { pad, seen } = canvases(port, layout);
  const scale = element(
    "select",
    { onchange: changed },
    ...Object.keys(SCALES).map((text) => element("option", {}, text)),
  );
  if (port.datatype === "UINT8") scale.value = "0 to 255";
  const pen = pad.getContext("2d", { willReadFrequently: true })!;
  const preview = seen.getContext("2d", { willReadFrequently: true })!;
  const look = (): void => {
    preview.imageSmoothingQuality = "high";
    preview.drawImage(pad, 0, 0, layout.width, layout.height);
    if (layout.channels === 1) toGrey(preview, layout);
  };
  const redraw = (draw: () => void): void => {
    draw();
    look();
    changed();
  };
  const take = (file: Blob | undefined | null): void => {
    if (file == null) return;
    createImageBitmap(file).then(
      (picture) => redraw(() => pen.drawImage(picture, 0, 0, PAD, PAD)),
      () =>
        pad.dispatchEvent(
          new CustomEvent("trouble", {
            bubbles: true,
            detail: "this file is no picture that this browser reads",
          }),
        ),
    );
  };
  clear(pen);
  look();
  drawOn(pad, pen, { layout, drawn: () => redraw(() => {}) });
  pad.addEventListener("dragover", (event) => event.preventDefault());
  pad.addEventListener("drop", (event) => {
    event.preventDefault();
    take(event.dataTransfer?.files[0]);
  });
  const file = element("input", {
    type: "file",
    accept: "image/*",
    hidden: true,
    onchange: () => take(file.files?.[0]),
  });
  const buttons = element(
    "div",
    { class: "row" },
    button("Clear", () => redraw(() => clear(pen))),
    button("Invert", () => redraw(() => invert(pen))),
  );
  const caption = `what the model sees, ${layout.width} × ${layout.height}`;
  const view = element(
    "div",
    { class: "image-input" },
    pad,
    element(
      "div",
      { class: "beside" },
      element("figure", {}, seen, element("figcaption", {}, caption)),
      buttons,
      button("Open picture", () => file.click()),
      file,
      element("label", {}, "Pixels are ", scale),
    ),
  );
  return {
    view,
    read: () => tensorOf(preview, layout, { port, scale: SCALES[scale.value]! }),
    fillSample: () =>
      redraw(() => {
        clear(pen);
        sample(pen, layout);
      }),
  };
}

/** The one that is drawn on, and the one that shows what becomes of it. */
function canvases(
  port: TensorPort,
  layout: ImageLayout,
): { readonly pad: HTMLCanvasElement; readonly seen: HTMLCanvasElement } {
  const pad = element("canvas", {
    class: "pad",
    width: PAD,
    height: PAD,
    role: "img",
    "aria-label": `${port.name}: draw with mouse or finger, or drop a picture. By keyboard: open a picture, take a sample, or write JSON.`,
  });
  const seen = element("canvas", {
    class: "seen",
    width: layout.width,
    height: layout.height,
    role: "img",
    "aria-label": `${port.name} as the model sees it`,
  });
  return { pad, seen };
}

function clear(pen: CanvasRenderingContext2D): void {
  pen.fillStyle = "#000";
  pen.fillRect(0, 0, PAD, PAD);
}

function invert(pen: CanvasRenderingContext2D): void {
  const pixels = pen.getImageData(0, 0, PAD, PAD);
  for (let i = 0; i < pixels.data.length; i++) if (i % 4 !== 3) pixels.data[i] = 255 - pixels.data[i]!;
  pen.putImageData(pixels, 0, 0);
}

interface Drawing {
  readonly layout: ImageLayout;
  drawn(): void;
}

function drawOn(pad: HTMLCanvasElement, pen: CanvasRenderingContext2D, { layout, drawn }: Drawing): void {
  const width = (PAD / layout.width) * (layout.width <= COARSE ? STROKE : FINE_STROKE);
  let last: readonly [number, number] | undefined;
  const place = ({ clientX, clientY }: PointerEvent): readonly [number, number] => {
    const box = pad.getBoundingClientRect();
    return [((clientX - box.left) * PAD) / box.width, ((clientY - box.top) * PAD) / box.height];
  };
  const stroke = (event: PointerEvent): void => {
    const next = place(event);
    pen.strokeStyle = "#fff";
    pen.lineWidth = Math.max(width, PAD / COARSE / 2);
    pen.lineCap = "round";
    pen.lineJoin = "round";
    pen.beginPath();
    pen.moveTo(...(last ?? next));
    pen.lineTo(...next);
    pen.stroke();
    last = next;
    drawn();
  };
  pad.addEventListener("pointerdown", (event) => {
    pad.setPointerCapture(event.pointerId);
    last = undefined;
    stroke(event);
  });
  pad.addEventListener("pointermove", (event) => {
    if (last !== undefined) stroke(event);
  });
  const lift = (): void => {
    last = undefined;
  };
  pad.addEventListener("pointerup", lift);
  pad.addEventListener("pointercancel", lift);
}

function toGrey(context: CanvasRenderingContext2D, { width, height }: ImageLayout): void {
  const pixels = context.getImageData(0, 0, width, height);
  const { data } = pixels;
  for (let i = 0; i < data.length; i += 4) {
    const grey = 0.299 * data[i]! + 0.587 * data[i + 1]! + 0.114 * data[i + 2]!;
    data.fill(grey, i, i + 3);
  }
  context.putImageData(pixels, 0, 0);
}

/** A handwritten three, or a sunset where there are colours. */
function sample(pen: CanvasRenderingContext2D, { channels, width }: ImageLayout): void {
  if (channels === 1) {
    pen.fillStyle = "#fff";
    pen.font = `${width <= COARSE ? "bold " : ""}${PAD}px sans-serif`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillText("3", PAD / 2, PAD / 2 + PAD / 20);
    return;
  }
  const sky = pen.createLinearGradient(0, 0, 0, PAD);
  for (const [at, colour] of [
    [0, "#23395b"],
    [0.6, "#f4a259"],
    [0.61, "#1b4332"],
    [1, "#2d6a4f"],
  ] as const)
    sky.addColorStop(at, colour);
  pen.fillStyle = sky;
  pen.fillRect(0, 0, PAD, PAD);
  pen.fillStyle = "#ffe3a3";
  pen.beginPath();
  pen.arc(PAD / 2, PAD / 2, PAD / 8, 0, 2 * Math.PI);
  pen.fill();
}

function tensorOf(
  context: CanvasRenderingContext2D,
  { width, height, channels, isChannelsLast }: ImageLayout,
  { port, scale }: { readonly port: TensorPort; readonly scale: (value: number, channel: number) => number },
): TensorValue {
  const { data: pixels } = context.getImageData(0, 0, width, height);
  const count = width * height;
  const data = new Array<number>(count * channels);
  const isWhole = port.datatype === "UINT8";
  for (let i = 0; i < count; i++) {
    for (let channel = 0; channel < channels; channel++) {
      const value = scale(pixels[4 * i + channel]! / 255, channel);
      const at = isChannelsLast ? i * channels + channel : channel * count + i;
      data[at] = isWhole ? Math.min(255, Math.max(0, Math.round(value))) : Math.round(value * 1e4) / 1e4;
    }
  }
  const sides = isChannelsLast ? [height, width, channels] : [channels, height, width];
  return { shape: port.shape.length === 4 ? [1, ...sides] : sides, data };
}
