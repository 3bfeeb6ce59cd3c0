import sharp from 'sharp';
import { drawSample } from '../src/compute/draw.ts';

/** Subjects that are drawn here, on a square of 400, so that every pixel of their masks is known. */
const subjects = {
  mug: '<path d="M270 150h60a50 50 0 0 1 0 150h-60v-36h50a20 20 0 0 0 0-78h-50z" fill="#b8761a"/><rect x="90" y="90" width="190" height="240" rx="26" fill="url(#warm)"/><ellipse cx="185" cy="98" rx="88" ry="16" fill="#7a4a10"/>',
  bird: '<path d="M60 210C90 90 230 60 300 140L370 150 310 185C300 300 170 350 110 290L30 330 55 250z" fill="url(#cold)"/><circle cx="268" cy="140" r="14" fill="#101820"/><path d="M120 220c50-30 100-20 130 20-40 50-100 50-130-20z" fill="#123a6a"/>',
  bottle: '<path d="M170 30h60v90c0 30 40 40 40 90v150a20 20 0 0 1-20 20H150a20 20 0 0 1-20-20V210c0-50 40-60 40-90z" fill="url(#green)"/><rect x="130" y="230" width="140" height="90" fill="#f2ead2"/><rect x="150" y="252" width="100" height="12" fill="#8c1c1c"/>',
  car: '<path d="M30 240c0-40 40-50 80-54l50-56h110l52 58c40 4 56 20 56 52v40H30z" fill="url(#red)"/><path d="M130 186l40-42h40v42zM222 144h40l34 42h-74z" fill="#bcd6e6"/><circle cx="110" cy="284" r="40" fill="#22242a"/><circle cx="290" cy="284" r="40" fill="#22242a"/><circle cx="110" cy="284" r="18" fill="#c9ccd2"/><circle cx="290" cy="284" r="18" fill="#c9ccd2"/>',
  star: '<path d="M200 30l48 112 122 11-92 80 28 119-106-63-106 63 28-119-92-80 122-11z" fill="url(#warm)"/>',
} as const;
export type SubjectName = keyof typeof subjects;
export const subjectNames = Object.keys(subjects) as SubjectName[];

const gradients = Object.entries({ warm: ['#ffd24a', '#c97a12'], cold: ['#3d8fe0', '#174a94'], green: ['#2f9a58', '#0f4a2c'], red: ['#f0453a', '#9a1414'] })
  .map(([id, [from, to]]) => `<linearGradient id="${id}" x2="0.6" y2="1"><stop stop-color="${from}"/><stop offset="1" stop-color="${to}"/></linearGradient>`).join('');

const grounds = {
  plain: async (width: number, height: number) => sharp(Buffer.from(`<svg width="${width}" height="${height}"><defs><linearGradient id="g" x2="0.4" y2="1"><stop stop-color="#e8e6e0"/><stop offset="1" stop-color="#c2c4c8"/></linearGradient></defs><rect width="100%" height="100%" fill="url(#g)"/></svg>`)),
  bokeh: async (width: number, height: number) => sharp(await drawSample('tulip-flowers.webp', { width, height })).blur(16),
  clutter: async (width: number, height: number) => sharp(await drawSample('misty-forest.jpg', { width, height })),
} as const;
export type GroundName = keyof typeof grounds;
export const groundNames = Object.keys(grounds) as GroundName[];

/** What to show at a size; the subject is about two thirds as high as the picture. */
export interface Composed {
  width: number;
  height: number;
  /** The picture without loss. */
  png: Buffer;
  /** The subject alone, RGBA, as large as the picture. */
  subject: Buffer;
  /** Alpha of the subject, 0..255. */
  truth: Uint8Array;
}

export async function composeScene(name: SubjectName, ground: GroundName, width = 900, height = 675): Promise<Composed> {
  const side = Math.round(height * 0.66);
  const [x, y] = [Math.round((width - side) * 0.55), Math.round((height - side) * 0.6)];
  const svg = `<svg width="${width}" height="${height}"><defs>${gradients}</defs><svg x="${x}" y="${y}" width="${side}" height="${side}" viewBox="0 0 400 400">${subjects[name]}</svg></svg>`;
  const subject = await sharp(Buffer.from(svg)).ensureAlpha().png().toBuffer();
  const behind = await (await grounds[ground](width, height)).removeAlpha().png().toBuffer();
  const png = await sharp(behind).composite([{ input: subject }]).removeAlpha().png().toBuffer();
  return { width, height, png, subject, truth: await sharp(subject).extractChannel(3).raw().toBuffer() };
}

/** Intersection over union of two alphas, both counted from one half. */
export function intersectionOverUnion(one: Uint8Array, other: Uint8Array): number {
  let both = 0, either = 0;
  for (let i = 0; i < one.length; i++) {
    const first = one[i]! > 127;
    const second = other[i]! > 127;
    if (first && second) both++;
    if (first || second) either++;
  }
  return both / either;
}
