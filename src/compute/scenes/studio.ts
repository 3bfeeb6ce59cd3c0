import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { prepareZXingModule, writeBarcode } from 'zxing-wasm/writer';
import { blur, clouds, glow, gradient, many, scene, seeded, type Scene } from './brush.ts';
import { letters } from './letters.ts';

export function portrait(): Scene {
  return scene(800, 1000,
    gradient('wall', '0 #f3b562,.5 #e0784f,1 #5b2a4e') + gradient('skin', '0 #f7c9a0,.55 #e6a57a,1 #a4583f', 'across') + gradient('hair', '0 #2c1a3a,1 #10182f') + gradient('dress', '0 #1f8a8c,1 #0c3b52') + blur('soft', 22) + blur('edge', 6)
    + clouds('paint', { frequency: '.02', color: [255, 240, 214], density: -0.1, seed: 77 }),
    `<rect width="800" height="1000" fill="url(#wall)"/><circle cx="180" cy="240" r="190" fill="#ffe3a0" opacity=".55" filter="url(#soft)"/><path d="M800 0V620L470 300Z" fill="#7d2f5a" opacity=".45"/><path d="M0 1000V560L260 820Z" fill="#2b6f8c" opacity=".6"/>
    <path d="M230 480Q180 200 400 170Q640 170 600 500Q640 720 590 820L250 800Q190 660 230 480Z" fill="url(#hair)"/><path d="M120 1000Q140 800 330 770L400 830L480 770Q680 800 690 1000Z" fill="url(#dress)"/>
    <path d="M340 640H470V760Q410 850 340 770Z" fill="#c47a58"/><path d="M284 420Q280 240 410 240Q540 246 532 430Q526 560 460 640Q408 690 356 640Q290 560 284 420Z" fill="url(#skin)"/>
    <path d="M408 242Q540 246 532 430Q526 560 460 640Q440 664 408 668Z" fill="#8e3f4f" opacity=".38"/><path d="M284 420Q270 250 420 232Q540 236 546 400Q500 300 420 300Q330 330 284 420Z" fill="#1b1430"/>
    <path d="M322 414Q348 396 376 412M442 412Q470 396 498 414" stroke="#2a1626" stroke-width="9" fill="none" stroke-linecap="round"/><path d="M320 446Q350 424 380 448Q350 462 320 446ZM440 448Q470 424 500 446Q470 462 440 448Z" fill="#fbf4ea"/><circle cx="350" cy="444" r="12" fill="#2f6d6a"/><circle cx="470" cy="444" r="12" fill="#24514f"/>
    <path d="M412 450Q402 510 390 534Q408 548 428 536" stroke="#8e4a3c" stroke-width="6" fill="none" stroke-linecap="round"/><path d="M360 590Q390 574 410 582Q432 574 462 590Q412 626 360 590Z" fill="#b3273f"/><path d="M362 591Q412 600 460 591" stroke="#6d1426" stroke-width="3" fill="none"/>
    <circle cx="282" cy="560" r="12" fill="#ffd15c"/><circle cx="538" cy="560" r="12" fill="#e0a63c"/><rect width="800" height="1000" filter="url(#paint)" opacity=".14"/>`);
}

export function yellowMug(): Scene {
  return scene(1000, 1000,
    gradient('glaze', '0 #c98a06,.18 #f7c62f,.42 #ffe27a,.6 #f6bd1c,1 #a96d02', 'across') + gradient('inside', '0 #7a4d05,1 #c98a12') + blur('shadow', 16) + glow('floor', '0 #d9d9d6,.6 #f3f3f1 .7,1 #fff 0'),
    `<rect width="1000" height="1000" fill="#ffffff"/><ellipse cx="510" cy="790" rx="400" ry="70" fill="url(#floor)"/><ellipse cx="480" cy="782" rx="215" ry="22" fill="#6f6a5c" filter="url(#shadow)" opacity=".8"/>
    <path d="M660 400Q840 380 830 540Q820 690 650 680L650 630Q764 640 770 540Q770 440 660 456Z" fill="#d59a10"/><path d="M660 404Q828 384 818 540Q812 650 700 676Q790 630 792 540Q796 420 660 430Z" fill="#ffe07a" opacity=".7"/>
    <path d="M270 310H690L668 740Q664 790 600 796H360Q296 790 292 740Z" fill="url(#glaze)"/><ellipse cx="480" cy="310" rx="210" ry="46" fill="#ffe9a0"/><ellipse cx="480" cy="314" rx="192" ry="36" fill="url(#inside)"/><ellipse cx="480" cy="326" rx="172" ry="24" fill="#3d1f0e"/><path d="M350 380Q340 560 364 740" stroke="#fff" stroke-width="20" opacity=".45" fill="none" stroke-linecap="round"/>`);
}

/** A leaf on nothing: every pixel around it is transparent. */
export function greenLeaf(): Scene {
  const veins = many(6, (i) => [-1, 1].map((side) => `M400 ${640 - i * 75}q${side * (105 - i * 9)} -12 ${side * (165 - i * 14)} -${100 - i * 4}`).join(''));
  return scene(800, 800, gradient('leaf', '0 #9ad24a,.5 #4c9f38,1 #1d6b33', 'across'),
    `<path d="M400 60Q640 240 620 460Q600 640 408 690L402 770H392L394 690Q200 640 180 460Q160 240 400 60Z" fill="url(#leaf)"/><path d="M400 62Q640 240 620 460Q600 640 402 690Z" fill="#0f4d2a" opacity=".28"/><path d="M400 90V690${veins}" stroke="#d5f0a2" stroke-width="5" fill="none" opacity=".75" stroke-linecap="round"/>`);
}

export function chequerboard(): Scene {
  return scene(800, 800, '', `<rect width="800" height="800" fill="#ffffff"/>${many(32, (i) => `<rect x="${((i % 4) * 2 + (Math.floor(i / 4) % 2)) * 100}" y="${Math.floor(i / 4) * 100}" width="100" height="100" fill="#000000"/>`)}`);
}

const paragraph = ['DARKROOM IS A SERVER FOR PICTURES. AN APP SENDS', 'PHOTOGRAPHS, WORKERS LOOK AT THEM, CUT OUT THEIR', 'SUBJECTS AND MAKE NEW ONES. EVERY JOB CAN BE WATCHED', 'LIVE, EVERY PICTURE CAN BE FOUND AGAIN BY ITS WORDS,', 'ITS COLOURS AND BY WHAT IT LOOKS LIKE.'];

export function textPage(): Scene {
  const lines = (top: number) => paragraph.map((line, i) => letters(line, { x: 90, y: top + i * 34, size: 12, color: '#222222' })).join('');
  return scene(800, 1130, '', `<rect width="800" height="1130" fill="#ffffff"/>${letters('THE DARKROOM MANUAL', { x: 90, y: 90, size: 30, color: '#111111', weight: 0.17 })}<rect x="90" y="144" width="620" height="3" fill="#111111"/>
    ${letters('1. WHAT IT IS', { x: 90, y: 186, size: 18, color: '#111111', weight: 0.15 })}${lines(240)}${letters('2. HOW TO START', { x: 90, y: 450, size: 18, color: '#111111', weight: 0.15 })}${lines(504)}${letters('3. HOW TO GO ON', { x: 90, y: 714, size: 18, color: '#111111', weight: 0.15 })}${lines(768)}
    ${letters('PAGE 1 / 24', { x: 350, y: 1050, size: 11, color: '#555555' })}`);
}

export function dashboard(): Scene {
  const random = seeded(2);
  const card = (x: number, name: string, value: string, color: string) => `<rect x="${x}" y="130" width="260" height="140" rx="12" fill="#ffffff"/><rect x="${x}" y="130" width="8" height="140" rx="4" fill="${color}"/>${letters(name, { x: x + 32, y: 158, size: 14, color: '#6b7280' })}${letters(value, { x: x + 32, y: 200, size: 38, color: '#111827', weight: 0.13 })}`;
  return scene(1440, 900, '', `<rect width="1440" height="900" fill="#f1f3f7"/><rect width="220" height="900" fill="#1f2a44"/>${letters('DARKROOM', { x: 32, y: 40, size: 22, color: '#ffffff', weight: 0.15 })}
    ${['PICTURES', 'JOBS', 'SEARCH', 'ALBUMS', 'SETTINGS'].map((name, i) => `${i === 1 ? '<rect x="16" y="150" width="188" height="44" rx="8" fill="#3457d5"/>' : ''}${letters(name, { x: 36, y: 112 + i * 52, size: 14, color: '#dbe3f7' })}`).join('')}
    <rect x="220" width="1220" height="84" fill="#ffffff"/>${letters('JOBS OF TODAY', { x: 260, y: 32, size: 22, color: '#111827', weight: 0.14 })}<circle cx="1380" cy="42" r="22" fill="#f59e0b"/>
    ${card(260, 'DONE', '1284', '#10b981')}${card(545, 'RUNNING', '37', '#3457d5')}${card(830, 'WAITING', '112', '#f59e0b')}${card(1115, 'FAILED', '6', '#ef4444')}
    <rect x="260" y="300" width="1115" height="270" rx="12" fill="#ffffff"/>${many(30, (i) => { const height = 40 + random() * 160; return `<rect x="${296 + i * 35}" y="${540 - height}" width="22" height="${height}" fill="${i % 7 === 3 ? '#f59e0b' : '#3457d5'}"/>`; })}
    <rect x="260" y="600" width="1115" height="260" rx="12" fill="#ffffff"/>${many(5, (i) => `${letters(['SUNSET.JPG', 'RED-CAR.JPG', 'FOREST.JPG', 'TULIPS.WEBP', 'DESERT.JPG'][i] ?? '', { x: 296, y: 626 + i * 47, size: 15, color: '#111827' })}<rect x="640" y="${626 + i * 47}" width="500" height="14" rx="7" fill="#e5e7eb"/><rect x="640" y="${626 + i * 47}" width="${100 + random() * 390}" height="14" rx="7" fill="#10b981"/>${letters('PERCENT', { x: 1180, y: 626 + i * 47, size: 13, color: '#6b7280' })}`)}`);
}

/** What the code on the poster says. */
export const posterText = 'https://example.org/darkroom';

export async function qrPoster(): Promise<Scene> {
  const path = createRequire(import.meta.url).resolve('zxing-wasm/writer/zxing_writer.wasm');
  prepareZXingModule({ overrides: { wasmBinary: new Uint8Array(readFileSync(path)).buffer } });
  const { symbol } = await writeBarcode(posterText, { format: 'QRCode', options: 'ecLevel=M' });
  const size = 420 / symbol.width;
  const modules = Array.from(symbol.data, (value, i) => (value === 0 ? `M${((i % symbol.width) * size).toFixed(2)} ${(Math.floor(i / symbol.width) * size).toFixed(2)}h${size.toFixed(2)}v${size.toFixed(2)}h-${size.toFixed(2)}z` : '')).join('');
  return scene(800, 1100, gradient('paper', '0 #5b2be0,.6 #d1338f,1 #ff8a3d'),
    `<rect width="800" height="1100" fill="url(#paper)"/><circle cx="690" cy="130" r="210" fill="#fff" opacity=".1"/><circle cx="90" cy="980" r="260" fill="#fff" opacity=".1"/>
    ${letters('OPEN STUDIO', { x: 92, y: 110, size: 58, color: '#ffffff', weight: 0.16 })}${letters('SATURDAY 7 PM - BRING A PICTURE', { x: 92, y: 220, size: 20, color: '#ffffff' })}
    <rect x="140" y="330" width="520" height="520" rx="30" fill="#ffffff"/><path d="${modules}" transform="translate(190 380)" fill="#000000"/>${letters('SCAN ME', { x: 248, y: 920, size: 44, color: '#ffffff', weight: 0.15 })}`);
}
