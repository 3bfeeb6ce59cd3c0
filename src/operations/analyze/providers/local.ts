import type { Describer } from '../measured.ts';

const needsModel = 'Needs a trained model, and Darkroom ships none; a cloud provider can do it';

/** No weights and no network: what can be measured is in the measurements, and what cannot be known is said to be unavailable. */
export const local: Describer = {
  name: 'local',
  version: '2',
  unavailable: () => null,
  async describe() {
    return {
      source: { provider: 'local', version: '2' },
      isPartial: false,
      caption: null,
      tags: [],
      objects: [],
      faces: [],
      text: null,
      categories: [],
      brands: [],
      landmarks: [],
      moderation: null,
      unavailable: ['objects', 'faces', 'text', 'categories', 'brands', 'landmarks', 'moderation'].map((feature) => ({ feature, reason: needsModel })),
    };
  },
};
