/** A mask of bytes as a grey PNG in base64, as Hugging Face's servers send masks. */
export async function encodeMask(
  mask: Uint8Array,
  { height, width }: { readonly height: number; readonly width: number },
): Promise<string> {
  const { default: sharp } = await import("sharp");
  const png = await sharp(mask, { raw: { width, height, channels: 1 } })
    .png({ compressionLevel: 6 })
    .toBuffer();
  return png.toString("base64");
}
