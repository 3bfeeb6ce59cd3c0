import type { Inspection } from '../compute/inspect.ts';

/** The columns of an image's row that its bytes decide. Where it was taken is kept only when that was asked for. */
export function imageFacts(inspection: Inspection, { keepLocation }: { keepLocation: boolean }) {
  const { exif, orientation, width, height, format, frames, hasAlpha, damaged, contentType } = inspection;
  return {
    kind: 'IMAGE' as const,
    contentType,
    width,
    height,
    format,
    frames,
    hasAlpha,
    damaged,
    takenAt: exif?.takenAt ? new Date(exif.takenAt) : null,
    exif: exif ? { camera: exif.camera, orientation, gps: keepLocation ? exif.gps && { ...exif.gps } : null } : null,
  };
}
