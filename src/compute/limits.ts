import type { Config } from '../config.ts';
import type { DecodeLimits } from './decode.ts';

/** What the settings allow an image to be. */
export function imageLimits(config: Config): DecodeLimits & { minSide: number } {
  return {
    minSide: config.UPLOAD_MIN_SIDE,
    maxSide: config.UPLOAD_MAX_SIDE,
    maxPixels: config.UPLOAD_MAX_PIXELS,
    maxAvifPixels: config.UPLOAD_MAX_AVIF_PIXELS,
    maxFrames: config.UPLOAD_MAX_FRAMES,
  };
}

/** What the settings allow a recording to be. */
export const audioLimits = ({ AUDIO_MAX_BYTES, UPLOAD_MAX_BYTES, AUDIO_MAX_SECONDS }: Config) => ({ maxBytes: Math.min(AUDIO_MAX_BYTES, UPLOAD_MAX_BYTES), maxSeconds: AUDIO_MAX_SECONDS });
