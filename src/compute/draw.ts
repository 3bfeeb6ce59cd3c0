import sharp, { type Sharp } from 'sharp';
import { seeded, type Scene } from './scenes/brush.ts';
import { desert, flowers, forest, mountains, sunset } from './scenes/nature.ts';
import { chequerboard, dashboard, greenLeaf, portrait, qrPoster, textPage, yellowMug } from './scenes/studio.ts';
import { balloons, blurredLights, nightCity, redCar, sailingBoat } from './scenes/town.ts';

interface Sample {
  scene(): Scene | Promise<Scene>;
  /** Deviation of the film grain in levels of 8 bits; 0 for what a computer would draw. */
  grain: number;
  /** Makes a copy as people make them: smaller, brighter, mirrored. */
  edit?(image: Sharp, width: number, height: number): Sharp;
}

const samples: Record<string, Sample> = {
  'sunset-over-the-sea.jpg': { scene: sunset, grain: 5 },
  'misty-forest.jpg': { scene: forest, grain: 5 },
  'red-car.jpg': { scene: redCar, grain: 4 },
  'night-city.jpg': { scene: nightCity, grain: 6 },
  'snowy-mountains.jpg': { scene: mountains, grain: 4 },
  'desert-dunes.jpg': { scene: desert, grain: 5 },
  'tulip-flowers.webp': { scene: flowers, grain: 4 },
  'sailing-boat.webp': { scene: sailingBoat, grain: 4 },
  'hot-air-balloons.jpg': { scene: balloons, grain: 4 },
  'blurred-street-lights.jpg': { scene: blurredLights, grain: 0 },
  'portrait-painting.jpg': { scene: portrait, grain: 6 },
  'yellow-mug-on-white.jpg': { scene: yellowMug, grain: 0 },
  'green-leaf-cut-out.png': { scene: greenLeaf, grain: 0 },
  'chequerboard-black-white.png': { scene: chequerboard, grain: 0 },
  'text-page.png': { scene: textPage, grain: 0 },
  'dashboard-screenshot.png': { scene: dashboard, grain: 0 },
  'qr-code-poster.png': { scene: qrPoster, grain: 0 },
  'red-car-small-copy.webp': { scene: redCar, grain: 4, edit: (image, width, height) => image.resize(Math.round(width / 2), Math.round(height / 2)) },
  'sunset-over-the-sea-brighter.jpg': { scene: sunset, grain: 5, edit: (image) => image.linear(1.15, 6) },
  'snowy-mountains-mirrored.jpg': { scene: mountains, grain: 4, edit: (image) => image.flop() },
};

/** File names of the pictures that Darkroom can draw by itself; each says what is shown. */
export const sampleNames = Object.keys(samples);

/**
 * A sample picture as the bytes of a JPEG, PNG or WebP file, by its extension. The same name and size give the same pixels every time, without files,
 * fonts or a network. Without a size it is as large as it was drawn, 800 to 1440 px; another shape cuts off its edges. Throws a RangeError for other names.
 */
export async function drawSample(name: string, options: { width?: number; height?: number } = {}): Promise<Buffer> {
  const sample = samples[name];
  if (!sample) throw new RangeError(`Expected one of ${sampleNames.join(', ')} for a sample picture but received "${name}"`);
  const scene = await sample.scene();
  const width = options.width ?? Math.round((options.height ?? scene.height) * (scene.width / scene.height));
  const height = options.height ?? Math.round(width * (scene.height / scene.width));
  const sized = scene.svg.replace('<svg ', `<svg width="${width}" height="${height}" `);
  const { data, info } = await sharp(Buffer.from(sized)).raw().toBuffer({ resolveWithObject: true });
  if (sample.grain > 0) addGrain(data, info.channels, sample.grain);
  const drawn = sharp(data, { raw: info });
  return encode(sample.edit ? sample.edit(drawn, width, height) : drawn, name);
}

/** The same noise on all channels of a pixel, as film has it; without it a drawing is too clean for a photograph. */
export function addGrain(data: Buffer, channels: number, deviation: number, seed = 1): void {
  const random = seeded(seed);
  for (let k = 0; k < data.length; k += channels) {
    // The sum of two even chances is close enough to a normal one; its own deviation is .41.
    const noise = ((random() + random() - 1) / 0.41) * deviation;
    for (let c = 0; c < 3; c++) data[k + c] = Math.min(255, Math.max(0, Math.round(data[k + c]! + noise)));
  }
}

function encode(image: Sharp, name: string): Promise<Buffer> {
  if (name.endsWith('.png')) return image.png({ compressionLevel: 9 }).toBuffer();
  const opaque = image.flatten({ background: '#ffffff' });
  return (name.endsWith('.webp') ? opaque.webp({ quality: 82, effort: 2 }) : opaque.jpeg({ quality: 86 })).toBuffer();
}
