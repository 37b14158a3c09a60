import type { Page } from "playwright-core";

/** Draws a ring with the mouse, a zero as people write it, on the pad of an image input. */
export async function drawZero(page: Page): Promise<void> {
  const box = (await page.locator("canvas.pad").boundingBox())!;
  const at = (turn: number): [number, number] => [
    box.x + box.width * (0.5 + 0.2 * Math.sin(turn)),
    box.y + box.height * (0.5 - 0.36 * Math.cos(turn)),
  ];
  await page.mouse.move(...at(0));
  await page.mouse.down();
  const STEPS = 40;
  for (let i = 1; i <= STEPS; i++) await page.mouse.move(...at((i / STEPS) * 2 * Math.PI));
  await page.mouse.up();
}
