import sharp, { type OverlayOptions } from 'sharp';
import { letters } from '../../src/compute/scenes/letters.ts';

export interface SheetColumn {
  title: string;
  /** What lies around a picture, and shows through where it is transparent. */
  ground: keyof typeof grounds;
}

export interface SheetRow {
  caption: string;
  /** One for each column; words stand where there is no picture. */
  cells: (Buffer | string)[];
}

/** Pixels. */
export const cellSide = 300;
const gap = 16;
const margin = 40;
const titleHeight = 32;
const captionHeight = 52;
const ink = '#3d4450';
const grounds = { chequered: 'url(#chequers)', gray: '#c3c8d0', light: '#e5e8ec', white: '#ffffff' };

/** Pictures side by side, a row for each photograph, as a PNG that a person looks at. */
export async function drawContactSheet(columns: SheetColumn[], rows: SheetRow[]): Promise<Buffer> {
  const width = 2 * margin + columns.length * (cellSide + gap) - gap;
  const rowHeight = cellSide + captionHeight;
  const height = 2 * margin + titleHeight + rows.length * rowHeight;
  const leftOf = (column: number) => margin + column * (cellSide + gap);
  const topOf = (row: number) => margin + titleHeight + row * rowHeight;

  const pictures: OverlayOptions[] = [];
  const drawn = columns.map(({ title }, column) => letters(title, { x: leftOf(column), y: margin, size: 13, color: ink, weight: 0.15 }));
  for (const [row, { caption, cells }] of rows.entries()) {
    drawn.push(letters(caption, { x: margin, y: topOf(row) + cellSide + 12, size: 10, color: ink }));
    for (const [column, { ground }] of columns.entries()) {
      const cell = cells[column] ?? '';
      const [left, top] = [leftOf(column), topOf(row)];
      drawn.push(`<rect x="${left}" y="${top}" width="${cellSide}" height="${cellSide}" fill="${grounds[typeof cell === 'string' ? 'light' : ground]}"/>`);
      if (typeof cell === 'string') {
        drawn.push(letters(cell, { x: left + (cellSide - cell.length * 12) / 2, y: top + cellSide / 2 - 6, size: 12, color: '#7c8491' }));
        continue;
      }
      const { data, info } = await sharp(cell).resize(cellSide, cellSide, { fit: 'inside' }).png().toBuffer({ resolveWithObject: true });
      pictures.push({ input: data, left: left + Math.floor((cellSide - info.width) / 2), top: top + Math.floor((cellSide - info.height) / 2) });
    }
  }
  const chequers = '<pattern id="chequers" width="20" height="20" patternUnits="userSpaceOnUse"><rect width="20" height="20" fill="#fff"/><path d="M0 0h10v10H0zM10 10h10v10H10z" fill="#dcdfe4"/></pattern>';
  const page = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><defs>${chequers}</defs><rect width="100%" height="100%" fill="#f6f7f9"/>${drawn.join('')}</svg>`;
  return sharp(Buffer.from(page)).composite(pictures).removeAlpha().png().toBuffer();
}
