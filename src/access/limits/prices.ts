/** `each` counts for every thing that an argument asks for. */
export interface Price {
  once?: number;
  each?: number;
}

/**
 * What a query costs, in points. A name costs nothing, an object a point, each object of a list a point, and whatever is listed here
 * costs what its work costs: a point is about the work of reading one row.
 */
export const prices: Record<string, Price> = {
  // Reading that is more than a row: words, likeness and counts look at many.
  'Query.searchImages': { once: 10 },
  'Query.similarImages': { once: 20 },
  'Query.duplicateGroups': { once: 20 },
  'Image.similar': { once: 20 },

  // Work that others do later, in jobs. Of what uploads run, the analysis is in their price; each other operation adds `jobPrice`.
  'Mutation.uploadImages': { each: 20 },
  'Mutation.createUploads': { each: 5 },
  'Mutation.completeUploads': { each: 20 },
  'Mutation.importImages': { each: 20 },
  'Mutation.uploadAudio': { each: 20 },
  'Mutation.analyzeImages': { each: 20 },
  // Up to a hundred jobs with one filter.
  'Mutation.retryJobs': { once: 100 },
  'Mutation.cancelJobs': { once: 100 },
  'Mutation.createModel3d': { each: 50 },

  'Mutation.cancelJob': { once: 5 },
  'Mutation.deleteAssets': { each: 5 },
  'Mutation.deleteImages': { each: 5 },
  'Mutation.updateImage': { once: 5 },
};

/** Of a job, where it is not listed what starts it. */
export const jobPrice = 50;

/** Of any other mutation that is not listed. */
export const mutationPrice = 20;

/** Of a subscription, beside what one of its events costs: it is paid for once, when it begins. */
export const subscriptionPrice = 10;

/** The total of a connection: it counts every row. */
export const countPrice = 5;

/** The whole description of the schema is long, and never changes. */
export const introspectionPrice = 50;

/** A list without a page size, such as the attempts of a job, is taken to be this long. */
export const plainListLength = 5;
