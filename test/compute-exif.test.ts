import sharp, { type Exif as SharpExif } from 'sharp';
import { describe, expect, test } from 'vitest';
import { readExif } from '../src/compute/exif.ts';

const nothing = { takenAt: null, camera: null, gps: null };

async function exifBlock(exif: SharpExif): Promise<Buffer> {
  const file = await sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } }).withExif(exif).jpeg().toBuffer();
  return (await sharp(file).metadata()).exif ?? Buffer.alloc(0);
}

const gps = { GPSLatitudeRef: 'S', GPSLatitude: '33/1 51/1 3540/100', GPSLongitudeRef: 'E', GPSLongitude: '151/1 12/1 40/1' };

describe('a photograph tells', () => {
  test('its camera, without the maker twice', async () => {
    expect(readExif(await exifBlock({ IFD0: { Make: 'Canon', Model: 'Canon EOS R5' } })).camera).toBe('Canon EOS R5');
    expect(readExif(await exifBlock({ IFD0: { Make: 'FUJIFILM', Model: 'X-T5' } })).camera).toBe('FUJIFILM X-T5');
  });

  test('its time, read as UTC unless the camera says its zone', async () => {
    expect(readExif(await exifBlock({ IFD2: { DateTimeOriginal: '2024:05:01 12:30:00' } })).takenAt).toBe('2024-05-01T12:30:00.000Z');
    expect(readExif(await exifBlock({ IFD2: { DateTimeOriginal: '2024:05:01 12:30:00', OffsetTimeOriginal: '+02:00' } })).takenAt).toBe('2024-05-01T10:30:00.000Z');
  });

  test('its place in degrees, south and west negative', async () => {
    expect(readExif(await exifBlock({ IFD3: gps })).gps).toEqual({ latitude: -33.8598333, longitude: 151.2111111 });
    expect(readExif(await exifBlock({ IFD3: { ...gps, GPSLatitudeRef: 'N', GPSLongitudeRef: 'W' } })).gps).toEqual({ latitude: 33.8598333, longitude: -151.2111111 });
  });

  test('all of it in big-endian order', () => {
    const block = Buffer.from('Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x10\0\x02\0\0\0\x03X5\0\0\0\0\0\0', 'latin1');
    expect(readExif(block)).toEqual({ ...nothing, camera: 'X5' });
  });

  test('the same in a block without the prefix of JPEG, as PNG and WebP have it', async () => {
    const block = await exifBlock({ IFD0: { Model: 'X-T5' }, IFD2: { DateTimeOriginal: '2024:05:01 12:30:00' }, IFD3: gps });
    expect(block.toString('latin1', 0, 6)).toBe('Exif\0\0');
    expect(readExif(block.subarray(6))).toEqual(readExif(block));
    expect(readExif(block.subarray(6)).camera).toBe('X-T5');
  });
});

describe('nonsense is absence', () => {
  test.each([
    ['a month that is none', { IFD2: { DateTimeOriginal: '2024:13:01 12:30:00' } }],
    ['a clock that was never set', { IFD2: { DateTimeOriginal: '0000:00:00 00:00:00' } }],
    ['a latitude beyond the pole', { IFD3: { ...gps, GPSLatitude: '133/1 0/1 0/1' } }],
    ['a division by zero', { IFD3: { ...gps, GPSLongitude: '1/0 0/0 0/0' } }],
  ])('%s', async (_, exif) => {
    const { takenAt, gps: place } = readExif(await exifBlock(exif));
    expect({ takenAt, place }).toEqual({ takenAt: null, place: null });
  });

  test.each([0, 1, 5, 6, 9, 12, 13])('%i bytes', (length) => {
    expect(readExif(Buffer.from('Exif\0\0II*\0\x08\0\0\0', 'latin1').subarray(0, length))).toEqual(nothing);
  });

  test('no flipped, cut or shuffled byte makes it throw', async () => {
    const block = await exifBlock({ IFD0: { Make: 'M', Model: 'X', DateTime: '2024:05:01 12:30:00' }, IFD2: { DateTimeOriginal: '2024:05:01 12:30:00' }, IFD3: gps });
    for (let at = 6; at < block.length; at++) {
      for (const value of [0, 1, 0x7f, 0xff]) {
        const hostile = Buffer.from(block);
        hostile[at] = value;
        readExif(hostile);
        hostile.fill(value, at);
        readExif(hostile);
      }
      readExif(block.subarray(0, at));
    }
  });

  test('thousands of entries that all claim the whole block cost no more than a glance', () => {
    const entries = 5_000;
    const block = Buffer.alloc(16 + entries * 12);
    block.write('Exif\0\0II*\0\x08\0\0\0', 'latin1');
    block.writeUInt16LE(entries, 14);
    for (let index = 0; index < entries; index++) {
      const entry = 16 + index * 12;
      block.writeUInt16LE(index % 2 ? 0x110 : 0x8825, entry);
      block.writeUInt16LE(index % 2 ? 2 : 4, entry + 2);
      block.writeUInt32LE(60_000, entry + 4);
      block.writeUInt32LE(8, entry + 8);
    }
    const before = performance.now();
    expect(readExif(block).gps).toBeNull();
    expect(performance.now() - before).toBeLessThan(1_000);
  });
});
