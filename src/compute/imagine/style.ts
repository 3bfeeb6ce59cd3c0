import sharp, { type Sharp } from 'sharp';

export type Style = 'PHOTOGRAPH' | 'PAINTING' | 'SKETCH' | 'POSTER';

/** Makes of a drawing what a camera, a brush, a pencil or a screen print would have made of it. */
export async function restyle(drawn: Sharp, style: Style | null): Promise<Sharp> {
  if (style === 'PAINTING') return painting(drawn);
  if (style === 'SKETCH') return sketch(drawn);
  if (style === 'POSTER') return sharp(await drawn.median(9).png({ palette: true, colours: 9, dither: 0 }).toBuffer()).median(5);
  return drawn;
}

/** Patches of one colour, with the relief of paint. */
async function painting(drawn: Sharp): Promise<Sharp> {
  const { data, info } = await drawn.median(11).modulate({ saturation: 1.15 }).raw().toBuffer({ resolveWithObject: true });
  const raw = { raw: info };
  const relief = await sharp(data, raw).greyscale().convolve({ width: 3, height: 3, kernel: [-2, -1, 0, -1, 1, 1, 0, 1, 2], scale: 1, offset: 0 }).blur(0.6).linear(0.35, 82).png().toBuffer();
  return sharp(await sharp(data, raw).composite([{ input: relief, blend: 'soft-light' }]).png().toBuffer());
}

/** The colour dodge of a grey picture by its own blurred negative: what is even turns white, and edges stay. */
async function sketch(drawn: Sharp): Promise<Sharp> {
  const grey = await drawn.greyscale().png().toBuffer();
  const blurred = await sharp(grey).negate({ alpha: false }).blur(9).png().toBuffer();
  const lines = await sharp(grey).composite([{ input: blurred, blend: 'colour-dodge' }]).removeAlpha().greyscale().linear(1.7, -172).png().toBuffer();
  return sharp(lines).tint('#f2ead8');
}
