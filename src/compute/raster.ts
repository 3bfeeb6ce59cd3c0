/** Pixels in memory: 8-bit sRGB rows from the top left, interleaved, upright (EXIF orientation applied). `channels` is 3 (RGB) or 4 (RGBA, straight alpha). */
export interface Raster {
  width: number;
  height: number;
  channels: 3 | 4;
  data: Uint8Array;
}
