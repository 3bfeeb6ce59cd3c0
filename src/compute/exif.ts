/** What an upload keeps of a photograph's EXIF. */
export interface Exif {
  /** ISO 8601 in UTC. A camera that does not say its time zone is read as UTC. */
  takenAt: string | null;
  camera: string | null;
  /** Degrees, north and east positive. */
  gps: { latitude: number; longitude: number } | null;
}

const ENTRY_BYTES = 12;
const maxTextBytes = 64;
const tags = { make: 0x10f, model: 0x110, dateTime: 0x132, photo: 0x8769, gps: 0x8825, takenAt: 0x9003, offset: 0x9011 };
const gpsTags = { latitudeRef: 1, latitude: 2, longitudeRef: 3, longitude: 4 };

/**
 * The few facts we keep, from a block of TIFF; before it JPEG has `Exif\0\0`, PNG and most WebP have not. Reads only the tags it wants and at most 64 bytes of each,
 * because a block can claim thousands of overlapping values: 65 KB cost a general reader 20 s and 3.4 GB.
 * Nonsense is absence; hostile bytes never throw.
 */
export function readExif(block: Buffer): Exif {
  const tiff = block.toString('latin1', 0, 6) === 'Exif\0\0' ? block.subarray(6) : block;
  const order = tiff.toString('latin1', 0, 4);
  if (order !== 'II*\0' && order !== 'MM\0*') return { takenAt: null, camera: null, gps: null };
  const reader = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength);
  const littleEndian = order === 'II*\0';

  const image = readDirectory(reader, tiff.length >= 8 ? reader.getUint32(4, littleEndian) : 0, littleEndian);
  const photo = readDirectory(reader, image.integer(tags.photo), littleEndian);
  const gps = readDirectory(reader, image.integer(tags.gps), littleEndian);
  return {
    takenAt: isoTime(photo.text(tags.takenAt) ?? image.text(tags.dateTime), photo.text(tags.offset)),
    camera: cameraName(image.text(tags.make), image.text(tags.model)),
    gps: position(gps),
  };
}

interface Directory {
  /** 0 where the tag is missing or no integer. */
  integer(tag: number): number;
  text(tag: number): string | null;
  rationals(tag: number): number[];
}

/** A list of entries: tag (2 bytes), type (2), number of values (4), and the values or, where they are longer than 4 bytes, their offset. */
function readDirectory(view: DataView, at: number, littleEndian: boolean): Directory {
  const inside = (offset: number, byteSize: number) => offset >= 8 && offset + byteSize <= view.byteLength;
  const count = inside(at, 2) ? view.getUint16(at, littleEndian) : 0;

  const find = (tag: number) => {
    for (let index = 0; index < count; index++) {
      const entry = at + 2 + index * ENTRY_BYTES;
      if (!inside(entry, ENTRY_BYTES)) return null;
      if (view.getUint16(entry, littleEndian) !== tag) continue;
      return { entry, type: view.getUint16(entry + 2, littleEndian), values: view.getUint32(entry + 4, littleEndian), value: entry + 8 };
    }
    return null;
  };
  return {
    integer(tag) {
      const found = find(tag);
      if (found?.type === 3) return view.getUint16(found.value, littleEndian);
      return found?.type === 4 ? view.getUint32(found.value, littleEndian) : 0;
    },
    text(tag) {
      const found = find(tag);
      if (found?.type !== 2) return null;
      const start = found.values <= 4 ? found.value : view.getUint32(found.value, littleEndian);
      const byteSize = Math.min(found.values, maxTextBytes);
      if (!inside(start, byteSize)) return null;
      const text = Buffer.from(view.buffer, view.byteOffset + start, byteSize).toString('utf8').split('\0')[0] ?? '';
      return text.replace(/[\p{C}\uFFFD]/gu, '').trim() || null;
    },
    rationals(tag) {
      const found = find(tag);
      if (found?.type !== 5) return [];
      const start = view.getUint32(found.value, littleEndian);
      const length = Math.min(found.values, 3);
      if (!inside(start, length * 8)) return [];
      return Array.from({ length }, (_, index) => view.getUint32(start + index * 8, littleEndian) / view.getUint32(start + index * 8 + 4, littleEndian));
    },
  };
}

function isoTime(text: string | null, offset: string | null): string | null {
  const [, date, time] = /^(\d{4}:\d\d:\d\d)[ T](\d\d:\d\d:\d\d)/.exec(text ?? '') ?? [];
  if (!date || !time) return null;
  const zone = /^[+-]\d\d:\d\d$/.test(offset ?? '') ? offset : 'Z';
  const moment = new Date(`${date.replaceAll(':', '-')}T${time}${zone}`);
  return Number.isNaN(moment.getTime()) ? null : moment.toISOString();
}

/** Makers repeat themselves: "Canon" and "Canon EOS R5" is one name. */
function cameraName(make: string | null, model: string | null): string | null {
  if (make && model && !model.toLowerCase().startsWith(make.toLowerCase())) return `${make} ${model}`;
  return model ?? make;
}

function position(gps: Directory): { latitude: number; longitude: number } | null {
  const latitude = degrees(gps.rationals(gpsTags.latitude), gps.text(gpsTags.latitudeRef) === 'S');
  const longitude = degrees(gps.rationals(gpsTags.longitude), gps.text(gpsTags.longitudeRef) === 'W');
  const sound = Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180;
  return sound ? { latitude, longitude } : null;
}

/** Degrees, minutes and seconds as one number, to about 1 cm; NaN where they are missing or divided by zero. */
function degrees([whole = NaN, minutes = 0, seconds = 0]: number[], negative: boolean): number {
  const value = whole + minutes / 60 + seconds / 3600;
  return Math.round((negative ? -value : value) * 1e7) / 1e7;
}
